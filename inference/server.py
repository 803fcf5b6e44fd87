"""The life of the server: listen, load, warm up, serve, drain."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version

import structlog
from grpc_health.v1 import health, health_pb2

from inference.admission import NOTHING, Admission, Load
from inference.certificate_expiry import certificate_expiry
from inference.engine import ModelInfo, open_engine
from inference.errors import GaveUp
from inference.hangs import Hangs
from inference.listener import SERVICE, listening
from inference.metrics import Metrics, MetricsEndpoint
from inference.models.licence import licence_of
from inference.runtimes import OpenSessions, open_sessions
from inference.servicer import InferenceService
from inference.settings import Settings
from inference.tracing import open_tracing
from inference.trim import trimming

UNARY_SHARE = 0.25
"""Of what may be in flight, what streams leave to calls that cannot wait."""

_log = structlog.get_logger("inference.server")


async def serve(settings: Settings, *, opener: OpenSessions = open_sessions) -> None:
    """Serve until SIGTERM or SIGINT; return when everything in flight was answered.

    A second signal ends the process at once.

    Raises:
        StartError: it cannot serve; one line that says why and what to do.
        GaveUp: it served, but too many of its threads hang; it has drained as at a signal.
    """
    stop = _stop_signal()
    hangs = Hangs(on_too_many=stop.set)
    metrics = Metrics()
    expiry = certificate_expiry(settings)
    if expiry is not None:
        metrics.certificate(expiry)
    capacity = Load(settings.queue_items, settings.queue_bytes)
    admission = Admission(capacity, waiting_share=1 - UNARY_SHARE, on_change=metrics.in_flight)
    status = health.aio.HealthServicer()
    await _say(status, health_pb2.HealthCheckResponse.NOT_SERVING)
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(
            open_tracing(
                settings.tracing_url,
                settings.tracing_ratio,
                version=_version(),
                on_lost=metrics.spans_lost,
            )
        )
        service = InferenceService(settings, admission, metrics, _version(), tracing)
        stack.enter_context(MetricsEndpoint(metrics, settings.metrics_host, settings.metrics_port))
        # Listening first: whoever asks for health is told NOT_SERVING while models load.
        server, port = await stack.enter_async_context(listening(settings, service, status))
        _log.info("listening", port=port)
        engine = await stack.enter_async_context(
            open_engine(settings, metrics, opener=opener, hangs=hangs, tracing=tracing)
        )
        if not stop.is_set():
            # Modules and networks stay: without this each full collection stops all calls while it
            # looks at them.
            gc.collect()
            gc.freeze()
            await stack.enter_async_context(
                trimming(lambda: admission.admitted, lambda: admission.held == NOTHING)
            )
            service.open(engine)
            await _say(status, health_pb2.HealthCheckResponse.SERVING)
            _log.info("serving", **_facts(settings, engine.info, port))
            await stop.wait()
        if hangs.were_too_many:
            _log.error("too_many_hang", threads=hangs.count)
        await status.enter_graceful_shutdown()
        _log.info("draining", items=admission.held.items)
        await asyncio.sleep(settings.drain_delay_seconds)
        service.drain()
        await server.stop(settings.drain_timeout_seconds)
    _log.info("stopped")
    if hangs.were_too_many:
        raise GaveUp(f"{hangs.count} threads hang in a session; start the server again")


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
        "licence": licence_of(info.pack),
        "device": info.detector.device,
        "providers": list(info.detector.providers),
        "detector_runtime": info.detector.runtime,
        "recogniser_runtime": info.recogniser.runtime,
        "sessions": settings.session_count,
        "look_sizes": list(info.look_sizes),
    }


def _version() -> str:
    try:
        return version("facesearch")
    except PackageNotFoundError:
        return "unknown"  # run from a source tree that was not installed
