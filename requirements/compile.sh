#!/bin/sh
# Pins every dependency with its hashes. Needs uv (`pip install uv`). Pass --upgrade for newer versions.
# The files name no index and no origin, so that any mirror can serve them.
set -eu
cd "$(dirname "$0")/.."
pin() {
  out=$1
  shift
  uv pip compile "$@" --output-file "requirements/$out" \
    --override requirements/overrides.txt --no-emit-package facesearch-client \
    --no-emit-package facesearch --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet $UPGRADE
}
project() {
  out=$1
  shift
  pin "$out" pyproject.toml proto/pyproject.toml "$@"
}
UPGRADE=${1:-}
# The largest set decides; the smaller ones are cut from it, so that all agree.
project dev.txt --extra cpu --extra otel requirements/setup.in requirements/dev.in
UPGRADE=""
project setup.txt --extra cpu requirements/setup.in --constraint requirements/dev.txt
project cpu.txt --extra cpu --constraint requirements/dev.txt
project edge.txt --constraint requirements/dev.txt
project gpu.txt --extra gpu --constraint requirements/dev.txt
project otel.txt --extra otel --constraint requirements/dev.txt
# For the images: inference without what only the edge needs, and what makes the wheels.
pin inference-cpu.txt proto/pyproject.toml requirements/inference-cpu.in \
  --constraint requirements/dev.txt
pin inference-gpu.txt proto/pyproject.toml requirements/inference-gpu.in \
  --constraint requirements/dev.txt --constraint requirements/gpu.txt
pin build.txt requirements/build.in --constraint requirements/dev.txt
