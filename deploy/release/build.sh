#!/usr/bin/env bash
# Builds what a release carries besides images, and tries it: wheels and source archives of both
# packages, and the SBOM (CycloneDX) of an environment with exactly the pinned dependencies.
#   bash deploy/release/build.sh [FOLDER]     [dist]
set -euo pipefail
out=$(realpath --canonicalize-missing "${1:-dist}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
pip=(-m pip --disable-pip-version-check --quiet)

if [ -e "$out" ] && [ -n "$(ls -A "$out")" ]; then
  echo "$out is not empty: what is in it would be released too" >&2
  exit 1
fi
mkdir -p "$out"

# hatchling builds both packages, in the version that every build here takes.
python3 -m venv "$scratch/build"
"$scratch/build/bin/python" "${pip[@]}" install --require-hashes --no-deps -r deploy/release/requirements.txt
for package in proto .; do
  (cd "$package" && "$scratch/build/bin/python" -m hatchling build --directory "$out")
done

# As a user gets it: an environment of its own, the pinned dependencies, the wheels.
python3 -m venv --without-pip "$scratch/service"
"$scratch/build/bin/python" "${pip[@]}" --python "$scratch/service/bin/python" install \
  --require-hashes --no-deps -r requirements/cpu.txt
"$scratch/build/bin/python" "${pip[@]}" --python "$scratch/service/bin/python" install \
  --no-deps --no-index "$out"/*.whl
"$scratch/build/bin/python" "${pip[@]}" --python "$scratch/service/bin/python" check
# Away from the source tree, so that what was installed is what is imported.
(cd "$scratch" && service/bin/facesearch --help >/dev/null \
  && service/bin/python -c 'import edge.app, inference.server, facesearch.inference.v1')

version=$("$scratch/service/bin/python" -c 'import importlib.metadata as m; print(m.version("facesearch"))')
# The list is about facesearch in this version, which pyproject.toml leaves to the build.
sed "s/^dynamic = \[\"version\"\]$/version = \"$version\"/" pyproject.toml >"$scratch/pyproject.toml"
"$scratch/build/bin/python" -m cyclonedx_py environment --output-reproducible --validate \
  --pyproject "$scratch/pyproject.toml" --mc-type application --output-format JSON --output-file "$out/facesearch-$version.cdx.json" \
  "$scratch/service/bin/python"
ls -l "$out"
