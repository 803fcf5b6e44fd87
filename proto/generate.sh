#!/bin/sh
# Writes the Python code of the contract beside it, or into the folder given as first argument.
# grpc_tools carries its own protoc; buf cannot reach its grpc_python plugin.
set -eu
here=$(dirname "$0")
out=${1:-$here}
python -m grpc_tools.protoc -I"$here" -I"$here/third_party" \
  --python_out="$out" --grpc_python_out="$out" \
  --mypy_out=quiet:"$out" --mypy_grpc_out=quiet:"$out" \
  "$here"/facesearch/inference/v1/*.proto
