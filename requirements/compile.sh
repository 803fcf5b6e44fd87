#!/bin/sh
# Pins every dependency with its hashes. Needs uv (`pip install uv`). Pass --upgrade for newer versions.
# The files name no index and no origin, so that any mirror can serve them.
set -eu
cd "$(dirname "$0")/.."
pin() {
  out=$1
  shift
  uv pip compile pyproject.toml proto/pyproject.toml "$@" --output-file "requirements/$out" \
    --override requirements/overrides.txt --no-emit-package facesearch-client \
    --no-emit-package facesearch --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet $UPGRADE
}
UPGRADE=${1:-}
# The largest set decides; the smaller ones are cut from it, so that all agree.
pin dev.txt --extra cpu --extra otel requirements/setup.in requirements/dev.in
UPGRADE=""
pin setup.txt --extra cpu requirements/setup.in --constraint requirements/dev.txt
pin cpu.txt --extra cpu --constraint requirements/dev.txt
pin edge.txt --constraint requirements/dev.txt
pin gpu.txt --extra gpu --constraint requirements/dev.txt
pin otel.txt --extra otel --constraint requirements/dev.txt
