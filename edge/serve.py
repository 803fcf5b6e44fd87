"""The life of the process: listen, open the stores, check, serve, drain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)

import structlog

from edge import __version__
from edge.app import create_app
from edge.audit import open_audit_log
from edge.backend import Backend, Services
from edge.background import background
from edge.errors import (
    DeadlineExceeded,
    InferenceTlsFault,
    InferenceUnavailable,
    Overloaded,
    StartRefused,
)
from edge.garbage import all_here_stays
from edge.http_server import address_of, listen, serving
from edge.inference_client import GrpcFaceAnalyzer
from edge.inference_errors import InferenceFault
from edge.inference_tls import channel_files
from edge.metrics import EdgeMetrics
from edge.outages import Outages
from edge.problems import REINDEX
from edge.readiness import Readiness
from edge.services import audited, build_services
from edge.settings import EdgeSettings
from edge.stopping import stop_signal, unless
from edge.tracing import open_tracing
from edge.use_cases.model import FaceAnalyzer
from edge.watch import keeping_watch, looks_of
from edge.workers.worker import Worker
from storage.errors import EmbeddingSpaceMismatch, StoreUnavailable
from storage.open import Stores, open_stores
from storage.settings import StorageSettings
from storage.vectors.resident import ResidentVectorStore

OpenStores = Callable[[StorageSettings], AbstractAsyncContextManager[Stores]]

_AWAY = (InferenceUnavailable, Overloaded, DeadlineExceeded)
_FIRST_ANSWER_SECONDS = 2.0
_RETRY_SECONDS = 1.0
_TELL_SECONDS = 1.0
DRAIN_SLACK_SECONDS = 5.0
"""What a request may take past its deadline to end: the grace period of a pod must hold it too."""

_log = structlog.get_logger("edge.serve")


async def serve(
    settings: EdgeSettings,
    storage: StorageSettings,
    *,
    opener: OpenStores = open_stores,
    worker: Worker | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; return when everything in flight was answered.

    A second signal ends the process at once. worker: it is one of several and stops with their
    parent too. Raises StartRefused or StoreMisconfigured, one line that says why it cannot serve
    and what to do.
    """
    stop = stop_signal()
    listening = listen(settings.host, settings.port) if worker is None else worker.listening
    backend = Backend()
    metrics = EdgeMetrics()
    readiness = Readiness(backend, report_to=metrics.background.ready)
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(
            open_tracing(settings, __version__, metrics.spans_lost)
        )
        app = create_app(settings, backend, metrics, readiness, tracing)
        if worker is not None:
            await stack.enter_async_context(_stopping_with_parent(worker, stop))
        # What is entered first is left last: stores and inference outlive the last request.
        audit = open_audit_log(settings.audit_log)
        if audit is not None:
            stack.push_async_callback(audit.close)
        tls = channel_files(settings)
        faces = GrpcFaceAnalyzer(settings.targets, tls=tls)

        def connect(target: str) -> GrpcFaceAnalyzer:
            return GrpcFaceAnalyzer([target], tls=tls)

        stack.push_async_callback(faces.close)
        opened = await stack.enter_async_context(AsyncExitStack())
        drain_seconds = settings.max_timeout_seconds + DRAIN_SLACK_SECONDS
        answering = serving(app, listening, drain_seconds=drain_seconds)
        if worker is None or worker.is_first:
            await stack.enter_async_context(answering)
            # From here on /livez answers, and /readyz says what is being waited for.
            _log.info("listening", **address_of(listening))

        async def prepare() -> Services:
            outages = Outages(_log)
            stores = await _stores(opener, storage, opened, backend, outages)
            services = build_services(
                settings,
                stores,
                faces,
                connect,
                on_sweep=metrics.background.swept,
                tracing=tracing,
            )
            await _check(services, backend, outages)
            return services if audit is None else audited(services, audit)

        services = await unless(stop, prepare())
        if services is not None:
            stack.enter_context(all_here_stays())
            await stack.enter_async_context(background(services, metrics.background))
            backend.open(services)
            looks = looks_of(settings, storage, metrics.background)
            await stack.enter_async_context(keeping_watch(readiness, looks))
            if worker is None:
                _log.info("serving", **address_of(listening), inference=list(settings.targets))
            else:
                if not worker.is_first:
                    await stack.enter_async_context(answering)
                _log.info("worker_serving", pid=os.getpid(), inference=list(settings.targets))
                await worker.say_serving()
            await stop.wait()
            backend.drain()
            _log.info("draining")
            await asyncio.sleep(settings.drain_delay_seconds)
    _log.info("stopped")


@asynccontextmanager
async def _stopping_with_parent(worker: Worker, stop: asyncio.Event) -> AsyncIterator[None]:
    async def watch() -> None:
        await worker.until_alone()
        _log.warning("parent_gone")
        stop.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _stores(
    opener: OpenStores,
    storage: StorageSettings,
    opened: AsyncExitStack,
    backend: Backend,
    outages: Outages,
) -> Stores:
    """The stores; waits while one of them is away. Raises StoreMisconfigured."""
    while True:
        try:
            return await opened.enter_async_context(opener(storage))
        except StoreUnavailable as error:
            await _wait_for_stores(backend, error, outages)


async def _check(services: Services, backend: Backend, outages: Outages) -> None:
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
            await _wait_for_stores(backend, error, outages)
        else:
            return


async def _wait_for_stores(backend: Backend, error: StoreUnavailable, outages: Outages) -> None:
    backend.progress = "waiting for a store that does not answer; the log of the edge says which"
    store = type(error).__name__
    outages.away(store, "store_away", store=store, cause=str(error))
    await asyncio.sleep(_RETRY_SECONDS)


async def _open_space(services: Services, backend: Backend) -> None:
    """Read the active space into memory, where memory answers for it."""
    stores = services.stores
    active = await services.spaces.active()
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


async def _why_away(faces: FaceAnalyzer, error: Exception) -> str:
    """In plain words, where TLS keeps edge and inference apart: gRPC's own are "Socket closed"."""
    with suppress(TimeoutError, InferenceFault, *_AWAY):
        try:
            async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
                await faces.ping()
        except InferenceTlsFault as fault:
            return str(fault)
    return str(error) or type(error).__name__


async def _check_pack(faces: FaceAnalyzer, services: Services) -> None:
    try:
        async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
            model = await faces.model()
    except (TimeoutError, InferenceFault, *_AWAY) as error:
        # It may come later; requests check for themselves, and /readyz says so.
        _log.warning("inference_away", cause=await _why_away(faces, error))
        return
    try:
        await services.spaces.check(model)
    except EmbeddingSpaceMismatch as error:
        raise StartRefused(
            f"the base holds {error.found}, but inference runs {error.wanted}. {REINDEX}"
        ) from error
