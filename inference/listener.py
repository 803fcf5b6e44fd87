"""Where the server listens and who may talk to it: addresses, TLS, message sizes, services."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from facesearch.inference.v1 import inference_pb2
from facesearch.inference.v1.inference_pb2_grpc import add_InferenceServiceServicer_to_server
from inference.errors import StartError
from inference.servicer import InferenceService
from inference.settings import Settings
from inference.tls import server_credentials

SERVICE: str = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name
MIN_PING_SECONDS = 5
"""How often clients may ping an idle connection; gRPC would cut them off after two pings."""


@asynccontextmanager
async def listening(
    settings: Settings, service: InferenceService, status: health.aio.HealthServicer
) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    """A started server and its port. Raises StartError."""
    server = grpc.aio.server(options=server_options(settings))
    add_InferenceServiceServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    if settings.reflection:
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    credentials = server_credentials(settings)
    _check_free(settings.host, settings.port)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    port = _bind(server, f"{host}:{settings.port}", credentials)
    if settings.unix_socket:
        _check_folder(Path(settings.unix_socket))
        # Its file keeps others out, and no certificate could name it.
        _bind(server, f"unix:{settings.unix_socket}", None)
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop(None)


def server_options(settings: Settings) -> list[tuple[str, int]]:
    """What a gRPC server of ours is made with."""
    options = [
        # On by default: a second server would share the port silently.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if settings.max_connection_age_seconds:
        # Clients ask for the addresses of a name again when a connection ends, and at no other
        # time (grpc/grpc#12295). Calls that are under way end on the old one, however long they
        # take: no grace is set.
        age_ms = max(1, round(settings.max_connection_age_seconds * 1000))
        options.append(("grpc.max_connection_age_ms", age_ms))
    return options


def _check_free(host: str, port: int) -> None:
    """Raises StartError. gRPC says why it cannot bind in a log of its own only, and not clearly."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "set INFERENCE_PORT (0 takes a free one) or INFERENCE_HOST"
        ) from error


def _check_folder(unix_socket: Path) -> None:
    folder = unix_socket.absolute().parent
    if not folder.is_dir():
        raise StartError(f"INFERENCE_UNIX_SOCKET: there is no folder {folder}")


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise StartError(
            f"cannot listen on {address}; set another INFERENCE_PORT or INFERENCE_UNIX_SOCKET"
        ) from error
