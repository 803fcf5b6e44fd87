"""The commands of docs/deploy.md, given to a real kubectl, word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.replicated import CREATE_SECRET
from tests.conftest import ROOT
from tests.unit.deploy.api_server import Cluster, api_server
from tests.unit.deploy.manifests import base, kubectl, of, overlay
from tests.unit.deploy.schemas import refusals

GUIDE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
NAMESPACE = "kubectl apply -f deploy/k8s/00-namespace.yaml"
APPLY = "kubectl apply -f deploy/k8s/"


@dataclass(frozen=True)
class Shell:
    """A new operator's: in a folder with this repository's deploy/, at a cluster of the test's."""

    cluster: Cluster
    folder: Path

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A line of the guide."""
        environment = os.environ | {
            "PATH": f"{Path(kubectl()).parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "KUBECACHEDIR": str(self.folder / "cache"),
        }
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment,
        )

    def succeeds(self, command: str) -> list[str]:
        """What it says, line by line; it must work, and warn of nothing."""
        done = self.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not done.stderr, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    kubectl()
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    with api_server(refusals, tmp_path / "kubeconfig") as cluster:
        yield Shell(cluster, tmp_path)


def steps() -> list[str]:
    """The commands of the guide that put it on a cluster."""
    (block,) = [
        block
        for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
        if APPLY in block and CREATE_SECRET in block
    ]
    return [line.strip() for line in block.strip().splitlines()]


def assert_is_clean_twice(shell: Shell, command: str) -> None:
    shell.succeeds(command)
    written = list(shell.cluster.writes)
    for line in shell.succeeds(command):
        # kubectl sends the selector of a budget each time, and then calls it configured.
        assert line.endswith(" unchanged") or line.startswith("poddisruptionbudget"), line
    assert shell.cluster.writes == written


def test_the_steps_of_the_guide_are_all_it_takes(shell: Shell) -> None:
    shell.succeeds("cp deploy/k8s/image-search.env.example image-search.env")
    assert steps() == [NAMESPACE, CREATE_SECRET, APPLY]
    for step in steps():
        shell.succeeds(step)
    assert sorted(shell.cluster.kinds()) == sorted([*(entry["kind"] for entry in base()), "Secret"])


def test_applying_again_changes_nothing(shell: Shell) -> None:
    assert_is_clean_twice(shell, APPLY)


def test_the_namespace_is_there_before_what_is_in_it(shell: Shell) -> None:
    # Otherwise the server would refuse the others, and the command fail.
    first, *_ = shell.succeeds(APPLY)
    assert first == "namespace/image-search created"


def test_the_secret_needs_the_namespace_so_the_guide_makes_that_first(shell: Shell) -> None:
    shell.succeeds("cp deploy/k8s/image-search.env.example image-search.env")
    refused = shell.run(CREATE_SECRET)
    assert refused.returncode != 0
    assert 'namespaces "image-search" not found' in refused.stderr


def test_a_secret_is_replaced_by_the_line_of_the_guide(shell: Shell) -> None:
    shell.succeeds("cp deploy/k8s/image-search.env.example image-search.env")
    shell.succeeds(NAMESPACE)
    shell.succeeds(CREATE_SECRET)
    (line,) = [line for line in GUIDE.splitlines() if line.endswith("| kubectl replace -f -")]
    (said,) = shell.succeeds(line)
    assert said == "secret/image-search replaced"
    assert shell.cluster.writes[-1] == "PUT Secret image-search"


def test_a_misspelt_field_fails_the_command(shell: Shell) -> None:
    shell.succeeds(NAMESPACE)
    misspelt = (ROOT / "deploy/k8s/32-edge-service.yaml").read_text(encoding="utf-8")
    (shell.folder / "service.yaml").write_text(misspelt.replace("selector:", "selectors:"))
    refused = shell.run("kubectl apply -f service.yaml")
    assert refused.returncode != 0
    assert "selectors" in refused.stderr


@pytest.mark.parametrize("name", ["dev", "gpu"])
def test_an_overlay_can_be_applied_twice(name: str, shell: Shell) -> None:
    assert_is_clean_twice(shell, f"kubectl apply -k deploy/overlays/{name}")
    assert sorted(shell.cluster.kinds()) == sorted(entry["kind"] for entry in of(name))


def test_the_monitors_come_in_addition(shell: Shell) -> None:
    shell.succeeds(APPLY)
    shell.succeeds("kubectl apply -k deploy/overlays/monitoring")
    added = [*base(), *overlay("monitoring")]
    assert sorted(shell.cluster.kinds()) == sorted(entry["kind"] for entry in added)


def test_the_pod_that_fills_the_volume_of_packs_is_one_that_kubernetes_takes(shell: Shell) -> None:
    (block,) = [one for one in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if "<<" in one]
    applying, _, _ = block.partition("kubectl -n image-search wait")
    shell.succeeds(applying)
    assert shell.cluster.kinds() == ["Namespace", "PersistentVolumeClaim", "Pod"]


def test_what_is_typed_for_tls_and_for_an_overlay_of_ones_own_works(shell: Shell) -> None:
    shell.succeeds(NAMESPACE)
    # Where `deploy` is a link, the copy would land in this checkout.
    (shell.folder / "deploy").unlink()
    shutil.copytree(ROOT / "deploy", shell.folder / "deploy")
    (block,) = [one for one in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if "cp -r" in one]
    for line in block.strip().splitlines():
        if not line.startswith('"${EDITOR'):
            shell.succeeds(line.replace("| less", "| cat"))
    assert "Deployment" in shell.cluster.kinds()
    making = "openssl req -x509 -newkey rsa:2048 -nodes -keyout faces.key -out faces.pem"
    assert shell.run(f"{making} -subj /CN=faces.example.org -days 2").returncode == 0
    (line,) = [line for line in GUIDE.splitlines() if "create secret tls" in line]
    (said,) = shell.succeeds(line)
    assert said == "secret/image-search-tls created"
