"""docs/deploy.md: what it tells an operator to type, and the figures it names, are so."""

from __future__ import annotations

import base64
import re
import subprocess

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from edge.replicated import CREATE_SECRET
from edge.serve import DRAIN_SLACK_SECONDS
from tests.conftest import ROOT
from tests.unit.deploy.manifests import (
    OVERLAYS,
    SECRET_EXAMPLE,
    base,
    container_of,
    kubectl,
    named,
    pod_of,
    quantity,
    secret_example,
)
from tests.unit.deploy.role_settings import edge_settings, inference_settings
from tests.unit.deploy.schemas import refusals
from tests.unit.docs.configuration_page import ROLES, settings_of

GUIDE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
COMMANDS = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL))
FLAT = " ".join(GUIDE.split())


def test_the_line_that_pods_ask_for_is_in_the_guide_before_the_folder_is_applied() -> None:
    namespace = COMMANDS.index("kubectl apply -f deploy/k8s/00-namespace.yaml")
    everything = COMMANDS.index("kubectl apply -f deploy/k8s/\n")
    assert namespace < COMMANDS.index(CREATE_SECRET) < everything


def test_kubectl_takes_that_line_and_reads_the_example_as_we_do() -> None:
    program, *arguments = CREATE_SECRET.replace("image-search.env", str(SECRET_EXAMPLE)).split()
    assert program == "kubectl"
    done = subprocess.run(
        [kubectl(), *arguments, "--dry-run=client", "--output=yaml"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    data = yaml.safe_load(done.stdout)["data"]
    read = {name: base64.b64decode(value or "").decode() for name, value in data.items()}
    assert read == secret_example()


def test_every_file_that_is_named_is_there() -> None:
    paths = set(re.findall(r"(?:deploy|tests)/[\w./-]*\w/?", GUIDE))
    assert len(paths) > 15
    # What readers make.
    for path in paths - {"deploy/overlays/ours", "deploy/overlays/ours/kustomization.yaml"}:
        # The containers are a part of their own, which may not be there.
        is_optional = path.startswith("deploy/docker/") and not (ROOT / "deploy/docker").exists()
        assert is_optional or (ROOT / path).exists(), path


def test_every_overlay_is_explained() -> None:
    for overlay in OVERLAYS.iterdir():
        assert f"| `{overlay.name}` |" in GUIDE


def test_every_setting_that_is_named_exists() -> None:
    known = {variable for _, _, kind in ROLES for variable, _, _ in settings_of(kind)}
    named_there = set(re.findall(r"\b(?:EDGE|INFERENCE|STORAGE)_[A-Z_]*[A-Z]\b", GUIDE))
    assert named_there
    assert named_there <= known


def test_the_pod_that_fills_the_volume_is_one_that_kubernetes_takes() -> None:
    (text,) = re.findall(r"<<'END'\n(.*?)END\n", GUIDE, re.DOTALL)
    assert refusals(yaml.safe_load(text)) == []


def test_the_seconds_of_an_end_are_those_of_the_manifests() -> None:
    def row(moment: str) -> str:
        (found,) = re.findall(rf"^\| {moment} \|.*$", GUIDE, re.MULTILINE)
        return str(found)

    ends = []
    graces = []
    edge, inference = edge_settings(base()), inference_settings(base())
    for name, delay, flight in (
        ("edge", edge.drain_delay_seconds, edge.max_timeout_seconds + DRAIN_SLACK_SECONDS),
        ("inference", inference.drain_delay_seconds, inference.drain_timeout_seconds),
    ):
        slept = container_of(base(), name)["lifecycle"]["preStop"]["sleep"]["seconds"]
        graces.append(pod_of(named(base(), "Deployment", name))["terminationGracePeriodSeconds"])
        ends.append(round(slept + delay + flight))
        assert "SIGTERM" in row(str(slept))
        assert f"{flight:g} s" in row(f"{slept + delay:g}")
    assert "the latest end" in row(f"{ends[0]}, {ends[1]}")
    assert "would be killed" in row(f"{graces[0]}, {graces[1]}")


@pytest.mark.parametrize("name", ["edge", "inference"])
def test_the_table_of_scaling_is_that_of_the_manifests(name: str) -> None:
    specification = named(base(), "HorizontalPodAutoscaler", name)["spec"]
    requested = container_of(base(), name)["resources"]["requests"]
    cpu, memory = (
        metric["resource"]["target"]["averageUtilization"] for metric in specification["metrics"]
    )
    cores = quantity(requested["cpu"])
    counted = f"{cores:g} core" if cores == 1 else f"{cores:g} cores"
    assert (
        f"| {name} | {specification['minReplicas']} | {specification['maxReplicas']} | {cpu} % of "
        f"{counted}, or {memory} % of {requested['memory'].removesuffix('Mi')} MiB |"
    ) in FLAT
