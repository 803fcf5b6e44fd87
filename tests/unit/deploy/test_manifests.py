"""`kubectl apply -f deploy/k8s/`: every object is one that Kubernetes knows, and in order."""

from __future__ import annotations

import copy
import re
import subprocess
from collections import Counter

import pytest

from edge import __version__
from tests.conftest import ROOT
from tests.unit.deploy.manifests import (
    BASE,
    FULL_OVERLAYS,
    NAMESPACE,
    all_but,
    base,
    documents,
    files,
    kubectl,
    named,
    of,
    of_kind,
    overlay,
    pod_of,
    workloads,
)
from tests.unit.deploy.schemas import KUBERNETES, OLDEST, refusals

OUR_IMAGES = re.compile(r"ghcr\.io/facesearch/facesearch-(?:edge|inference|inference-gpu):(.+)")
CLUSTER_WIDE = {"Namespace"}


@pytest.mark.parametrize("version", [KUBERNETES, OLDEST])
def test_kubernetes_knows_every_field_of_every_object(version: str) -> None:
    assert [line for manifest in base() for line in refusals(manifest, version)] == []


@pytest.mark.parametrize("name", FULL_OVERLAYS)
def test_kubernetes_knows_every_field_of_what_an_overlay_makes(name: str) -> None:
    known = base()
    changed = [manifest for manifest in overlay(name) if manifest not in known]
    assert changed
    assert [line for manifest in changed for line in refusals(manifest)] == []


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    misspelt = copy.deepcopy(named(base(), "Deployment", "edge"))
    pod_of(misspelt)["containers"][0]["readinessprobe"] = {}
    (refused,) = refusals(misspelt)
    assert "readinessprobe" in refused


def test_the_namespace_comes_first() -> None:
    first, *others = base()
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", NAMESPACE)
    for manifest in others:
        assert manifest["metadata"]["namespace"] == NAMESPACE
        assert manifest["kind"] not in CLUSTER_WIDE


def test_what_pods_refer_to_comes_before_them() -> None:
    order = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in base()]
    for workload in workloads(base()):
        name = workload["metadata"]["name"]
        place = order.index((workload["kind"], name))
        assert order.index(("ServiceAccount", name)) < place
        assert order.index(("ConfigMap", name)) < place
        assert order.index(("NetworkPolicy", name)) < place


def test_no_object_is_there_twice() -> None:
    found = Counter((entry["kind"], entry["metadata"]["name"]) for entry in base())
    assert found.most_common(1)[0][1] == 1


def test_nothing_is_in_it_that_cannot_be_applied_twice() -> None:
    # The template of a Job cannot be changed, and names made by the server are new each time.
    for manifest in base():
        assert manifest["kind"] not in {"Job", "Pod"}
        assert "generateName" not in manifest["metadata"]
        assert "status" not in manifest
        assert not manifest["metadata"].get("creationTimestamp")


def test_kubectl_takes_the_files_in_this_order_and_passes_over_the_others() -> None:
    # Any command that reads files without a cluster walks the folder as `apply` does.
    done = subprocess.run(
        [kubectl(), "annotate", "--local", "-f", BASE, "walked=yes", "-o", "name"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    walked = [line.partition("/")[2] for line in done.stdout.splitlines()]
    assert walked == [manifest["metadata"]["name"] for manifest in base()]


def test_kustomize_reads_the_same_files() -> None:
    (kustomization,) = documents(BASE / "Kustomization")
    assert kustomization["resources"] == [file.name for file in files()]


@pytest.mark.parametrize("name", ["base", *FULL_OVERLAYS])
def test_images_have_a_version_and_ours_have_this_one(name: str) -> None:
    manifests = of(name)
    images = [
        container["image"]
        for workload in workloads(manifests)
        for container in pod_of(workload)["containers"] + pod_of(workload).get("initContainers", [])
    ]
    assert images
    for image in images:
        _, _, tag = image.rpartition(":")
        assert tag, image
        assert tag != "latest", image
        ours = OUR_IMAGES.fullmatch(image)
        if ours is not None:
            assert ours[1] == __version__, image


@pytest.mark.parametrize("name", ["base", *all_but("dev")])
def test_no_secret_is_shipped_but_for_development(name: str) -> None:
    assert not of_kind(of(name), "Secret")


def test_no_file_with_a_real_secret_can_be_committed() -> None:
    assert "image-search.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
