"""What deploy/k8s/ starts, started here: its own commands and environment, its probes, its end.

What differs from a pod: the addresses of the stores, free ports, a folder in place of the volume.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edge.replicated import CREATE_SECRET
from inference.models.find import embedded_starter
from tests.conftest import ROOT, missing
from tests.contract.milvus_process import MilvusProcess
from tests.contract.postgres_server import find_binaries, running
from tests.contract.s3_process import S3Process
from tests.integration.processes import Running, run
from tests.integration.system import Client, client_of
from tests.unit.deploy.manifests import (
    Manifest,
    base,
    container_of,
    environment,
    named,
    pod_of,
    port_of,
    secret_example,
)

pytestmark = [pytest.mark.slow, pytest.mark.pack]

GUIDE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
FORWARDED = "127.0.0.1:8000"
"""Where the guide's `kubectl port-forward` has the Service."""
KEY = "a-key-for-tests-of-pods"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
STEADY_SECONDS = 60.0
"""For what takes a moment, on a busy machine."""


@dataclass(frozen=True)
class Pod:
    """A process in place of a container, and where its ports are here."""

    container: Manifest
    process: Running
    ports: Mapping[int, int]
    """By the port of the manifest."""
    variables: Mapping[str, str]
    """Its environment, which what is executed in it has too."""

    def succeeds(self, probe: str) -> bool:
        """As a kubelet asks, with the time it gives."""
        asked = self.container[probe]
        seconds = asked["timeoutSeconds"]
        if "httpGet" in asked:
            port = self.ports[port_of(self.container, asked["httpGet"]["port"])]
            path = asked["httpGet"]["path"]
            answer = httpx2.get(f"http://127.0.0.1:{port}{path}", timeout=seconds)
            return 200 <= answer.status_code < 400
        port = self.ports[asked["grpc"]["port"]]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            request = health_pb2.HealthCheckRequest(service=asked["grpc"].get("service", ""))
            status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds).status
        return bool(status == health_pb2.HealthCheckResponse.SERVING)


def within(is_so: Callable[[], bool]) -> bool:
    """Whether it becomes so before long."""
    end = time.monotonic() + STEADY_SECONDS
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.1)  # between two questions
    return False


def photos_found(client: Client, selfie: bytes) -> list[str]:
    """By a search; with bounded consistency a new photo may take seconds to show."""
    return [hit["photo_id"] for hit in client.search(selfie, score_threshold=0.3)["results"]]


def command_of(deployment: str) -> list[str]:
    """The container's own, with this Python."""
    command = list(container_of(base(), deployment)["command"])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def inference_environment(folder: Path, pack: Path, metrics_port: int) -> dict[str, str]:
    variables = environment(base(), "inference", {}) | {
        "INFERENCE_PORT": "0",
        "INFERENCE_METRICS_PORT": str(metrics_port),
        "INFERENCE_CACHE_DIR": str(folder),
    }
    # The image has the starter pack in it, and a checkout may be without.
    return variables if embedded_starter() else variables | {"INFERENCE_PACK": str(pack)}


@pytest.fixture
def pods(pack_dir: Path, tmp_path: Path) -> Iterator[tuple[Pod, Pod]]:
    """Inference and an edge, serving, over PostgreSQL, a bucket and Milvus."""
    binaries = find_binaries()
    if binaries is None:
        missing("no PostgreSQL here: install Debian's package postgresql")
    assert binaries is not None
    metrics_port = free_port()
    with ExitStack() as lives:
        variables = inference_environment(tmp_path / "cache", pack_dir, metrics_port)
        inference = lives.enter_context(run(command_of("inference"), variables))
        # Meanwhile it loads and warms up.
        vectors = lives.enter_context(MilvusProcess(tmp_path / "milvus", max_workers=1))
        bucket = lives.enter_context(S3Process())
        records = lives.enter_context(running(binaries))
        secret = secret_example() | bucket.environment(
            bucket.empty_bucket(),
            bucket.key(),
            API_KEY=KEY,
            STORAGE_RECORDS_URL=records.url("postgres"),
            STORAGE_VECTORS_URL=vectors.url,
        )
        inference.wait_until_serving()
        variables = environment(base(), "edge", secret)
        scheme, _, _ = variables["EDGE_INFERENCE_TARGETS"].rpartition("/")
        variables |= {
            "EDGE_PORT": "0",
            "EDGE_INFERENCE_TARGETS": f"{scheme}/{inference.address}",
        }
        edge = lives.enter_context(run(command_of("edge"), variables))
        edge.wait_until_serving()
        served = container_of(base(), "inference"), container_of(base(), "edge")
        yield (
            Pod(
                served[0],
                inference,
                {
                    port_of(served[0], "grpc"): inference.port,
                    port_of(served[0], "metrics"): metrics_port,
                },
                {},
            ),
            Pod(served[1], edge, {port_of(served[1], "http"): edge.port}, variables),
        )


def first_photo(edge: Pod, photo: bytes, folder: Path) -> str:
    """What the guide's lines say that put a photo in and find it, where it forwards a port."""
    (block,) = [one for one in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) if "@first" in one]
    (folder / "image-search.env").write_text(f"API_KEY={KEY}\n", encoding="utf-8")
    (folder / "first.jpg").write_bytes(photo)
    script = block.replace(FORWARDED, edge.process.address).replace("curl ", "curl -sS --fail ")
    done = subprocess.run(
        ["bash", "-e", "-c", script], check=False, capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def executed(edge: Pod) -> list[str]:
    """What the guide's commands say that it executes in an edge to make keys."""
    commands = re.findall(r"exec deployment/edge -- facesearch (keys .+)", GUIDE)
    assert len(commands) > 1
    return [
        subprocess.run(
            [sys.executable, "-m", "cli.main", *command.split()],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | edge.variables,
        ).stdout
        for command in commands
    ]


def test_pods_answer_their_probes_and_the_guide_and_drain_within_their_grace(
    pods: tuple[Pod, Pod], shared: Path, tmp_path: Path
) -> None:
    inference, edge = pods
    for pod in pods:
        for probe in PROBES:
            assert within(partial(pod.succeeds, probe)), f"{probe}: {pod.process.text()}"
    metrics = inference.ports[port_of(inference.container, "metrics")]
    assert "facesearch_inference_" in httpx2.get(f"http://127.0.0.1:{metrics}/metrics").text

    photo = (shared / "data" / "photos" / "RD_d3.jpeg").read_bytes()
    with client_of(edge.process, KEY) as client:
        assert within(lambda: '"photo_id":"first.jpg"' in first_photo(edge, photo, tmp_path))
        assert photos_found(client, photo) == ["first.jpg"]
        made, listed = executed(edge)
        assert "website" in listed
        with client_of(edge.process, _key_in(made)) as website:
            assert photos_found(website, photo) == ["first.jpg"]
            assert website.http.put("/photos/second", files={"image": photo}).status_code == 403

        # The kubelet has slept, as preStop says.
        edge.process.send(signal.SIGTERM)
        edge.process.wait_for_event("draining")
        # Whoever asks is told, and whoever has not heard is served.
        assert not edge.succeeds("readinessProbe")
        assert edge.succeeds("livenessProbe")
        assert client.try_search(photo).status_code == 200

    inference.process.send(signal.SIGTERM)
    for name, pod in zip(("inference", "edge"), pods, strict=True):
        left = _seconds_after_sigterm(name)
        assert pod.process.wait(left) == 0, pod.process.text()


def test_without_its_secret_a_pod_refuses_and_says_which_line_creates_it() -> None:
    # Every container of a pod has the second one.
    variables = environment(base(), "edge", {}) | {
        "EDGE_PORT": "0",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    }
    with run(command_of("edge"), variables) as edge:
        assert edge.wait() == 2
        (line,) = edge.lines("stderr")
    assert "API_KEY is not set" in line
    assert CREATE_SECRET in line


def _key_in(said: str) -> str:
    """The key that `facesearch keys create` has made."""
    (key,) = re.findall(r"\bfs_[\w-]+", said)  # the alphabet of base64url
    return str(key)


def _seconds_after_sigterm(deployment: str) -> float:
    """What is left of the grace of a pod when its process hears of its end."""
    grace = pod_of(named(base(), "Deployment", deployment))["terminationGracePeriodSeconds"]
    slept = container_of(base(), deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    return float(grace - slept)
