#!/usr/bin/env bash
# Starts an edge and an inference image as docs/docker.md does (read-only, without rights, as the user
# of the image), puts a photo in and searches for the person on it.
#   bash deploy/docker/smoke-test.sh EDGE_IMAGE INFERENCE_IMAGE [PHOTO]
# PHOTO shows one person; without it one that the package scikit-image brings is fetched.
set -euo pipefail
edge=$1
inference=$2
run="facesearch-smoke-$$"
key="key-of-a-smoke-test-$$"
scratch=$(mktemp -d)

finish() {
  code=$?
  if [ "$code" -ne 0 ]; then
    docker logs --tail 50 "$run-inference" || true
    docker logs --tail 50 "$run-edge" || true
  fi
  docker rm --force --volumes "$run-edge" "$run-inference" >/dev/null 2>&1 || true
  docker network rm "$run" >/dev/null 2>&1 || true
  rm -rf "$scratch"
  exit "$code"
}
trap finish EXIT

photo=${3:-}
if [ -z "$photo" ]; then
  cd "$(dirname "${BASH_SOURCE[0]}")/../.."
  # Only that package, in the version and with the digest that the set-up takes.
  sed -n '/^scikit-image==/,/[^\\]$/p' requirements/setup.txt >"$scratch/requirements.txt"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --dest "$scratch" -r "$scratch/requirements.txt"
  python3 -m zipfile --extract "$scratch"/scikit_image-*.whl "$scratch"
  photo="$scratch/skimage/data/astronaut.png"
fi

hardened=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --network "$run")
docker network create "$run" >/dev/null
docker run --detach --name "$run-inference" --network-alias inference "${hardened[@]}" \
  "$inference" >/dev/null
docker run --detach --name "$run-edge" --publish 127.0.0.1::8000 "${hardened[@]}" \
  --tmpfs /data:uid=10001,gid=10001,mode=0700 \
  --env "API_KEY=$key" --env EDGE_INFERENCE_TARGETS=inference:50051 "$edge" >/dev/null
url="http://$(docker port "$run-edge" 8000/tcp | head -n 1)"

for attempt in $(seq 120); do
  if curl --silent --fail --output /dev/null "$url/readyz"; then break; fi
  if [ "$attempt" -eq 120 ]; then
    echo "not ready after two minutes: $(curl --silent "$url/readyz")" >&2
    exit 1
  fi
  sleep 1
done

ask=(curl --silent --show-error --fail-with-body --header "X-Api-Key: $key" --form "image=@$photo")
"${ask[@]}" --request PUT --form collection_id=smoke "$url/photos/one"
echo
"${ask[@]}" --form collection_id=smoke "$url/search/" >"$scratch/found.json"
python3 - "$scratch/found.json" <<'END'
import json
import sys

found = json.load(open(sys.argv[1], encoding="utf-8"))
photos = [(match["photo_id"], match["score"] > 0.9) for match in found["results"]]
sys.exit(0 if photos == [("one", True)] else f"the person was not found: {found}")
END

# In order, within the time that Docker gives.
docker stop --timeout 60 "$run-edge" "$run-inference" >/dev/null
for one in edge inference; do
  code=$(docker inspect --format '{{.State.ExitCode}}' "$run-$one")
  if [ "$code" -ne 0 ]; then
    echo "$one ended with code $code" >&2
    exit 1
  fi
done
echo "the person was found"
