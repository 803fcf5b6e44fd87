"""`python -m inference.health` asks by gRPC, where a container can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health as reference
from grpc_health.v1 import health_pb2, health_pb2_grpc

from inference import health
from inference.settings import Settings

Status = health_pb2.HealthCheckResponse


@contextmanager
def answering(address: str, status: int) -> Iterator[int]:
    """A server that says so; its port, or 1 for a Unix socket."""
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        servicer = reference.HealthServicer()
        servicer.set("", status)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port(address)
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


@pytest.mark.parametrize(
    ("status", "is_serving"), [(Status.SERVING, True), (Status.NOT_SERVING, False)]
)
def test_it_is_healthy_when_it_serves(status: int, is_serving: bool) -> None:
    with answering("127.0.0.1:0", status) as port:
        environment = {"INFERENCE_HOST": "0.0.0.0", "INFERENCE_PORT": str(port)}  # noqa: S104  # as in the image
        assert health.ask(environment) == (is_serving, Status.ServingStatus.Name(status))


def test_the_unix_socket_is_asked_where_there_is_one(tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    environment = {
        "INFERENCE_UNIX_SOCKET": str(socket),
        "INFERENCE_PORT": "1",
        "INFERENCE_TLS_CERT": "/somewhere",
    }
    with answering(f"unix:{socket}", Status.SERVING):
        assert health.ask(environment) == (True, "SERVING")


def test_where_nobody_listens_nothing_is_healthy(tmp_path: Path) -> None:
    is_serving, said = health.ask({"INFERENCE_UNIX_SOCKET": str(tmp_path / "nobody")})
    assert not is_serving
    assert "UNAVAILABLE" in said


def test_a_port_that_speaks_tls_is_not_asked_in_vain() -> None:
    is_serving, said = health.ask({"INFERENCE_TLS_CERT": "/somewhere"})
    assert not is_serving
    assert "INFERENCE_UNIX_SOCKET" in said


def test_its_defaults_are_those_of_the_settings() -> None:
    fields = Settings.model_fields
    assert fields["host"].default == health.DEFAULT_HOST
    assert str(fields["port"].default) == health.DEFAULT_PORT
