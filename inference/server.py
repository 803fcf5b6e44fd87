"""The life of the server: listen, load, warm up, serve, drain."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

import grpc
import structlog
from facesearch.inference.v1 import inference_pb2
from facesearch.inference.v1.inference_pb2_grpc import add_InferenceServiceServicer_to_server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from inference.admission import Admission, Load
from inference.engine import ModelInfo, open_engine
from inference.errors import StartError
from inference.metrics import Metrics, MetricsEndpoint
from inference.servicer import InferenceService
from inference.settings import Settings

SERVICE = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name
UNARY_SHARE = 0.25
"""Of what may be in flight, what streams leave to calls that cannot wait."""

_log = structlog.get_logger("inference.server")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; return when everything in flight was answered.

    A second signal ends the process at once.

    Raises:
        StartError: it cannot serve; one line that says why and what to do.
    """
    stop = _stop_signal()
    metrics = Metrics()
    capacity = Load(settings.queue_items, settings.queue_bytes)
    admission = Admission(capacity, waiting_share=1 - UNARY_SHARE, on_change=metrics.in_flight)
    service = InferenceService(settings, admission, metrics, _version())
    status = health.aio.HealthServicer()
    await _say(status, health_pb2.HealthCheckResponse.NOT_SERVING)
    async with AsyncExitStack() as stack:
        stack.enter_context(MetricsEndpoint(metrics, settings.metrics_host, settings.metrics_port))
        # Listening first: whoever asks for health is told NOT_SERVING while models load.
        server, port = await stack.enter_async_context(_listening(settings, service, status))
        engine = await stack.enter_async_context(open_engine(settings, metrics))
        if not stop.is_set():
            service.open(engine)
            await _say(status, health_pb2.HealthCheckResponse.SERVING)
            _log.info("serving", **_facts(settings, engine.info, port))
            await stop.wait()
        _log.info("draining", items=admission.held.items)
        await status.enter_graceful_shutdown()
        await asyncio.sleep(settings.drain_delay_seconds)
        service.drain()
        await server.stop(settings.drain_timeout_seconds)
    _log.info("stopped")


@asynccontextmanager
async def _listening(
    settings: Settings, service: InferenceService, status: health.aio.HealthServicer
) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    """A started server and its port."""
    server = grpc.aio.server(
        options=[
            # On by default: a second server would share the port silently.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            # Clients ping idle connections; the default would cut them off after two strikes.
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
    )
    add_InferenceServiceServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    if settings.reflection:
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    credentials = _credentials(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    port = _bind(server, f"{host}:{settings.port}", credentials)
    if settings.unix_socket:
        _bind(server, f"unix:{settings.unix_socket}", credentials)
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop(None)


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise StartError(
            f"cannot listen on {address}: the address is in use or not this machine's; "
            "set INFERENCE_PORT (0 takes a free one), INFERENCE_HOST or INFERENCE_UNIX_SOCKET"
        ) from error


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
        client_ca = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
    except OSError as error:
        raise StartError(f"cannot read {error.filename}: {error.strerror}") from error
    return grpc.ssl_server_credentials(
        [pair], root_certificates=client_ca, require_client_auth=client_ca is not None
    )


def _stop_signal() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT."""
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            _log.warning("stopped_at_once", signal=number.name)
            os._exit(128 + number)
        _log.info("stopping", signal=number.name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop


async def _say(
    status: health.aio.HealthServicer, state: health_pb2.HealthCheckResponse.ServingStatus
) -> None:
    for name in ("", SERVICE):
        await status.set(name, state)


def _facts(settings: Settings, info: ModelInfo, port: int) -> dict[str, object]:
    return {
        "address": f"{settings.host}:{port}",
        "port": port,
        "unix_socket": settings.unix_socket,
        "tls": settings.tls_cert is not None,
        "pack": info.pack.id,
        "version": info.pack.version,
        "space_id": info.pack.space_id,
        "dim": info.pack.dim,
        "licence": info.pack.licence,
        "device": info.detector.device,
        "providers": list(info.detector.providers),
        "runtime": info.detector.runtime,
        "sessions": settings.session_count,
        "look_sizes": list(info.look_sizes),
    }


def _version() -> str:
    try:
        return version("facesearch")
    except PackageNotFoundError:
        return "unknown"  # run from a source tree that was not installed
