"""The life of the process: listen, open the stores, check, serve, drain."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

import structlog

from edge.app import create_app
from edge.backend import Backend, Services
from edge.background import background
from edge.errors import DeadlineExceeded, InferenceUnavailable, Overloaded, StartRefused
from edge.http_server import listen, serving
from edge.inference_client import GrpcFaceAnalyzer
from edge.inference_errors import InferenceFault
from edge.problems import REINDEX
from edge.services import build_services
from edge.settings import EdgeSettings
from edge.use_cases.model import FaceAnalyzer
from edge.use_cases.spaces import Spaces
from storage.errors import EmbeddingSpaceMismatch, StoreUnavailable
from storage.open import Stores, open_stores
from storage.settings import StorageSettings
from storage.vectors.resident import ResidentVectorStore

T = TypeVar("T")
OpenStores = Callable[[StorageSettings], AbstractAsyncContextManager[Stores]]

_AWAY = (InferenceUnavailable, Overloaded, DeadlineExceeded)
_FIRST_ANSWER_SECONDS = 2.0
_RETRY_SECONDS = 1.0
_TELL_SECONDS = 1.0
_DRAIN_SLACK_SECONDS = 5.0

_log = structlog.get_logger("edge.serve")


async def serve(
    settings: EdgeSettings, storage: StorageSettings, *, opener: OpenStores = open_stores
) -> None:
    """Serve until SIGTERM or SIGINT; return when everything in flight was answered.

    A second signal ends the process at once. Raises StartRefused or StoreMisconfigured, one line
    that says why it cannot serve and what to do.
    """
    stop = _stop_signal()
    listening = listen(settings.host, settings.port)
    backend = Backend()
    app = create_app(settings, backend)
    async with AsyncExitStack() as stack:
        # What is entered first is left last: stores and inference outlive the last request.
        faces = GrpcFaceAnalyzer(settings.targets)
        stack.push_async_callback(faces.close)
        opened = await stack.enter_async_context(AsyncExitStack())
        drain_seconds = settings.max_timeout_seconds + _DRAIN_SLACK_SECONDS
        await stack.enter_async_context(serving(app, listening, drain_seconds=drain_seconds))
        # From here on /livez answers, and /readyz says what is being waited for.
        _log.info("listening", **_address(listening))

        async def prepare() -> Services:
            stores = await _stores(opener, storage, opened, backend)
            services = build_services(settings, stores, faces)
            await _check(services, backend)
            return services

        services = await _unless(stop, prepare())
        if services is not None:
            await stack.enter_async_context(background(services))
            backend.open(services)
            _log.info("serving", **_address(listening), inference=list(settings.targets))
            await stop.wait()
            backend.drain()
            _log.info("draining")
            await asyncio.sleep(settings.drain_delay_seconds)
    _log.info("stopped")


async def _stores(
    opener: OpenStores, storage: StorageSettings, opened: AsyncExitStack, backend: Backend
) -> Stores:
    """The stores; waits while one of them is away. Raises StoreMisconfigured."""
    while True:
        try:
            return await opened.enter_async_context(opener(storage))
        except StoreUnavailable as error:
            await _wait_for_stores(backend, error)


async def _check(services: Services, backend: Backend) -> None:
    """Raises StartRefused for a base that nobody could enter, or that another pack made."""
    while True:
        try:
            if await services.keys.is_empty():
                raise StartRefused(
                    "there is no API key, so nobody could call: set API_KEY, or make one with "
                    "`facesearch keys create NAME`"
                )
            await _open_space(services, backend)
            await _check_pack(services.faces, services)
        except StoreUnavailable as error:
            await _wait_for_stores(backend, error)
        else:
            return


async def _wait_for_stores(backend: Backend, error: StoreUnavailable) -> None:
    backend.progress = "waiting for a store that does not answer; the log of the edge says which"
    _log.warning("store_away", store=type(error).__name__, cause=str(error))
    await asyncio.sleep(_RETRY_SECONDS)


async def _open_space(services: Services, backend: Backend) -> None:
    """Read the active space into memory, where memory answers for it."""
    stores = services.stores
    active = await Spaces(stores.vectors, stores.records).active()
    if active is None:
        return
    telling = asyncio.create_task(_tell_filling(stores, backend))
    try:
        await stores.vectors.open_space(active.id, active.dim)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        backend.progress = None


async def _tell_filling(stores: Stores, backend: Backend) -> None:
    vectors = stores.vectors
    while isinstance(vectors, ResidentVectorStore):
        for filling in vectors.filling.values():
            backend.progress = f"{filling.done} of {filling.total} faces are in memory"
            _log.info("filling_memory", done=filling.done, total=filling.total)
        await asyncio.sleep(_TELL_SECONDS)


async def _check_pack(faces: FaceAnalyzer, services: Services) -> None:
    stores = services.stores
    try:
        async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
            model = await faces.model()
    except (TimeoutError, InferenceFault, *_AWAY) as error:
        # It may come later; requests check for themselves, and /readyz says so.
        _log.warning("inference_away", cause=str(error) or type(error).__name__)
        return
    try:
        await Spaces(stores.vectors, stores.records).check(model)
    except EmbeddingSpaceMismatch as error:
        raise StartRefused(
            f"the base holds {error.found}, but inference runs {error.wanted}. {REINDEX}"
        ) from error


async def _unless(stop: asyncio.Event, work: Coroutine[object, object, T]) -> T | None:
    """The result of `work`; None if the stop came first."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


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


def _address(listening: socket.socket) -> dict[str, object]:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return {"address": f"http://{shown}:{port}", "port": port}
