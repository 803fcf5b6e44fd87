"""`python -m inference.health`: whether the server of this container serves; HEALTHCHECK asks.

It asks by gRPC, as anybody may. Over the Unix socket where there is one: the port may speak TLS and
want a certificate that the container does not have. No settings class: it runs every few seconds
beside the server. So it knows what a container sets; flags of a command line it does not see.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = "50051"
"""As in inference.settings; a test compares them."""

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # asked, not listened on
_TIMEOUT_SECONDS = 4.0
"""Less than HEALTHCHECK waits, so that the reason is told."""


def target_of(environment: Mapping[str, str]) -> str:
    """Where to ask, in gRPC's words."""
    socket = environment.get("INFERENCE_UNIX_SOCKET")
    if socket:
        return f"unix:{socket}"
    host = environment.get("INFERENCE_HOST") or DEFAULT_HOST
    port = environment.get("INFERENCE_PORT") or DEFAULT_PORT
    return f"{_EVERY_INTERFACE.get(host, host)}:{port}"


def ask(environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether it serves, and what it or gRPC says to it."""
    target = target_of(environment)
    if not target.startswith("unix:") and environment.get("INFERENCE_TLS_CERT"):
        return (
            False,
            "the port speaks TLS: set INFERENCE_UNIX_SOCKET, where it can be asked plainly",
        )
    with grpc.insecure_channel(target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return False, f"{target}: {error.code().name}: {error.details()}"
    states = health_pb2.HealthCheckResponse
    return answer.status == states.SERVING, states.ServingStatus.Name(answer.status)


def main() -> int:
    """Print what it says; 0: it serves, 1: not."""
    is_serving, said = ask(os.environ)
    sys.stdout.write(f"{said}\n")
    return 0 if is_serving else 1


if __name__ == "__main__":
    sys.exit(main())
