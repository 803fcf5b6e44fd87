#!/bin/sh
# Fails if the committed Python code of the contract is not what the .proto files give.
set -eu
here=$(dirname "$0")
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
sh "$here/generate.sh" "$fresh"
for file in "$fresh"/facesearch/inference/v1/*_pb2*; do
  if ! cmp -s "$file" "$here/facesearch/inference/v1/$(basename "$file")"; then
    echo "$(basename "$file") is not up to date; run: make proto" >&2
    exit 1
  fi
done
