"""The manifests of Kubernetes as tests read them, and kustomize as kubectl has it built in."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.conftest import ROOT, missing

Manifest = dict[str, Any]

BASE = ROOT / "deploy/k8s"
OVERLAYS = ROOT / "deploy/overlays"
SECRET_EXAMPLE = BASE / "image-search.env.example"
NAMESPACE = SECRET = "image-search"
FULL_OVERLAYS = ("cpu", "dev", "example", "gpu", "requests-hpa")
"""Those that are everything that runs; `monitoring` comes in addition."""

KUBECTL = "FACESEARCH_TEST_KUBECTL"
"""kubectl, if it is not on the PATH; "none" says that it is not to be had."""
_KUSTOMIZE = (4, 1)
"""The first with components; kubectl 1.22. Debian 12 packages an older one."""

_UNITS = {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_QUANTITY = re.compile(r"([\d.]+)(m|Ki|Mi|Gi|)")


def all_but(name: str) -> list[str]:
    """The overlays that are everything that runs, without this one."""
    return [overlay for overlay in FULL_OVERLAYS if overlay != name]


def documents(file: Path) -> list[Manifest]:
    """The objects of a file, in order."""
    return _read(file.read_text(encoding="utf-8"))


@functools.cache
def _read(text: str) -> list[Manifest]:
    # Read once: all tests look at the same objects, and none changes them.
    return [entry for entry in yaml.load_all(text, yaml.CSafeLoader) if entry]


def files() -> list[Path]:
    """What `kubectl apply -f deploy/k8s/` reads, in its order."""
    return sorted(file for file in BASE.iterdir() if file.suffix in {".yaml", ".yml", ".json"})


def base() -> list[Manifest]:
    """What `kubectl apply -f deploy/k8s/` applies, in its order."""
    return [manifest for file in files() for manifest in documents(file)]


@functools.cache
def kubectl() -> str:
    """kubectl with a kustomize that knows components; skips the test without one.

    In CI it must be there, unless "none" says that it is not to be had.
    """
    named = os.environ.get(KUBECTL, "kubectl")
    if named == "none":
        pytest.skip(f"no kubectl is to be had here ({KUBECTL}=none)")
    found = shutil.which(named)
    if found is None:
        missing(f"no kubectl: install it, or set {KUBECTL} to it, or to none")
    assert found is not None
    told = subprocess.run(
        [found, "version", "--client", "--output=json"], check=True, capture_output=True, text=True
    )
    version = json.loads(told.stdout).get("kustomizeVersion", "v0.0")
    if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) < _KUSTOMIZE:
        pytest.skip(f"the kustomize of {found} is too old ({version}): kubectl 1.22 or newer")
    return found


@functools.cache
def _built(name: str) -> str:
    done = subprocess.run(
        [kubectl(), "kustomize", OVERLAYS / name], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # a warning that something is deprecated
    return done.stdout


def overlay(name: str) -> list[Manifest]:
    """What `kubectl apply -k deploy/overlays/NAME` applies."""
    return _read(_built(name))


def of(name: str) -> list[Manifest]:
    """Of `base`, or of an overlay."""
    return base() if name == "base" else overlay(name)


def named(manifests: Iterable[Manifest], kind: str, name: str) -> Manifest:
    """The one object of this kind and name."""
    (found,) = [
        manifest
        for manifest in manifests
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)
    ]
    return found


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    """All objects of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def workloads(manifests: Iterable[Manifest]) -> list[Manifest]:
    """All that make pods."""
    return of_kind(manifests, "Deployment", "StatefulSet", "DaemonSet", "Job")


def pod_of(workload: Manifest) -> Manifest:
    """The specification of its pods."""
    pod = workload["spec"]["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def container_of(manifests: Iterable[Manifest], deployment: str) -> Manifest:
    """The only container of the pods of a Deployment."""
    (container,) = pod_of(named(manifests, "Deployment", deployment))["containers"]
    assert isinstance(container, dict)
    return container


def environment(
    manifests: Sequence[Manifest], deployment: str, secret: Mapping[str, str]
) -> dict[str, str]:
    """The variables of the container, as a kubelet sets them. secret: what the Secret holds."""
    container = container_of(manifests, deployment)
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            found |= named(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
        else:
            assert source["secretRef"]["name"].startswith(SECRET)
            found |= secret
    for variable in container.get("env", ()):
        found[variable["name"]] = variable["value"]
    return found


def secret_of(manifests: Iterable[Manifest]) -> dict[str, str]:
    """What the Secret holds: that of an overlay which brings its own, or the example filled in."""
    shipped = of_kind(manifests, "Secret")
    if shipped:
        return {key: b64decode(value).decode() for key, value in shipped[0]["data"].items()}
    filled = {
        "API_KEY": "a-key-of-some-length",
        "STORAGE_PHOTOS_URL": "s3://bucket/facesearch",
        "STORAGE_PHOTOS_ACCESS_KEY": "access",
        "STORAGE_PHOTOS_SECRET_KEY": "secret",
    }
    return secret_example() | filled


def secret_example() -> dict[str, str]:
    """What the Secret holds by the example, read as `create secret --from-env-file` reads it."""
    lines = SECRET_EXAMPLE.read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def port_of(container: Manifest, port: str | int) -> int:
    """The number of a port that is named or numbered."""
    if isinstance(port, int):
        return port
    (found,) = [entry["containerPort"] for entry in container["ports"] if entry["name"] == port]
    assert isinstance(found, int)
    return found


def quantity(text: str | int) -> float:
    """Bytes of `384Mi`, cores of `500m`."""
    read = _QUANTITY.fullmatch(str(text))
    assert read is not None, text
    return float(read[1]) * _UNITS[read[2]]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a selector of labels takes something with these; an empty one takes anything."""
    assert set(selector) <= {"matchLabels"}, "no test reads matchExpressions"
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def labels_of(workload: Manifest) -> dict[str, str]:
    """The labels of its pods."""
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert isinstance(labels, dict)
    return labels
