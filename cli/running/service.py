"""Inference and edge together: started, watched and stopped as one service."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, TypeVar

import httpx2
from pydantic import ValidationError

from cli.errors import CommandError, ExitCode
from cli.rest.answers import Readiness
from cli.running.child import Child, ChildEnded, LogLine
from cli.running.inference_workers import InferenceWorkers

T = TypeVar("T")

_STOP_SECONDS = 40.0
"""For each process; inference drains for up to 30 s."""
_READY_SECONDS = 600.0
"""A large base is read back before the edge is ready."""
_READY_POLL_SECONDS = 0.1
_LONGEST_SOCKET_FOLDER = 64  # the whole path must fit the 108 bytes of sun_path


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What to start. None: as the environment says, else the process's own default."""

    data_dir: Path
    models_dir: Path | None = None
    pack: str | None = None
    host: str | None = None
    port: int | None = None
    inference_port: int | None = None
    """A port for gRPC callers beside the edge's own Unix socket; None: none that is known."""
    workers: str | None = None
    """Edge processes that share the port, or "auto"."""
    inference_workers: int = 1
    """Inference servers, each on a socket of its own; several have one session each."""
    sessions: int | None = None
    """Of each of them, unless the environment says; None: as many as it chooses."""
    api_key: str | None = None
    """A key with every scope, for the edge's environment only."""


class Service:
    """Edge and inference."""

    def __init__(self, edge: Child, inference: InferenceWorkers) -> None:
        self._edge = edge
        self._inference = inference
        self.url = ""
        """Where the edge answers; empty until it serves."""
        self.pack = ""
        """The pack that is loaded: name, version and licence; empty until it is."""

    async def before_death(self, work: Coroutine[object, object, T]) -> T:
        """The result of `work`. Raises ChildEnded, and drops the work, if a child ends first."""
        working = asyncio.create_task(work)
        dying = asyncio.create_task(self._first_death())
        tasks: set[asyncio.Task[object]] = {working, dying}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise dying.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until_death(self) -> NoReturn:
        """Wait until one of the two cannot go on. Raises ChildEnded."""
        raise await self._first_death()

    async def _first_death(self) -> ChildEnded:
        edge = asyncio.create_task(self._edge.ended())
        inference = asyncio.create_task(self._inference.death())
        try:
            await asyncio.wait((edge, inference), return_when=asyncio.FIRST_COMPLETED)
        finally:
            edge.cancel()
            inference.cancel()
        return self._edge.death() if edge.done() else inference.result()


@asynccontextmanager
async def start_service(
    options: ServiceOptions,
    *,
    on_line: Callable[[str, str], None],
    on_step: Callable[[str], None],
) -> AsyncIterator[Service]:
    """Start both, wait until they are ready; on leaving stop the edge, then inference.

    `on_line` hears what they log (name, line), `on_step` what is being waited for. Raises
    ChildEnded if one of them ends before it is ready: the other one is stopped.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_private_folder())
        for_inference, for_edge = environments(options, os.environ, folder)
        on_step("loading the models")
        inference = await InferenceWorkers.start(for_inference, on_line)
        stack.push_async_callback(inference.stop, _STOP_SECONDS)
        edge = await Child.start("edge", for_edge, on_line)
        # Stopped first, as the last one pushed: nobody is to lose an answer.
        stack.push_async_callback(edge.stop, _STOP_SECONDS)
        service = Service(edge, inference)
        service.pack = pack_line(await service.before_death(inference.serving()))
        on_step("opening the base")
        ready = await service.before_death(edge.serving())
        service.url = url_of(for_edge.get("EDGE_HOST", "127.0.0.1"), ready.get("port"))
        await service.before_death(_until_ready(service.url, on_step))
        yield service


@asynccontextmanager
async def start_inference(
    options: ServiceOptions, *, on_line: Callable[[str, str], None]
) -> AsyncIterator[str]:
    """Inference alone, serving: its target for a gRPC client. Raises ChildEnded."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_private_folder())
        (environment,), _ = environments(replace(options, inference_workers=1), os.environ, folder)
        child = await Child.start("inference", environment, on_line)
        stack.push_async_callback(child.stop, _STOP_SECONDS)
        await child.serving()
        yield f"unix:{environment['INFERENCE_UNIX_SOCKET']}"


def environments(
    options: ServiceOptions, present: Mapping[str, str], folder: Path
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The environments of each inference server and of the edge: the present one, the options over
    it.

    folder: for their sockets.
    """
    port = options.inference_port
    count = options.inference_workers
    sessions = options.sessions or (1 if count > 1 else None)
    sockets = [folder / f"inference-{number}.sock" for number in range(1, count + 1)]
    inference: dict[str, str | None] = {
        # Two services on one machine must not fight for a port that nobody asked for.
        "INFERENCE_METRICS_PORT": present.get("INFERENCE_METRICS_PORT", "0"),
        "INFERENCE_LOG_FORMAT": "json",
        "INFERENCE_MODELS_DIR": _text(options.models_dir),
        "INFERENCE_PACK": options.pack,
        # It always listens on a port too: on a free one that only it knows, if none was asked for.
        "INFERENCE_PORT": str(port or 0),
        # Of several, each keeps one core busy.
        "INFERENCE_SESSIONS": present.get("INFERENCE_SESSIONS") or _text(sessions),
    }
    edge: dict[str, str | None] = {
        "EDGE_LOG_FORMAT": "json",
        "EDGE_INFERENCE_TARGETS": ",".join(f"unix:{socket}" for socket in sockets),
        "EDGE_HOST": options.host,
        "EDGE_PORT": _text(options.port),
        "EDGE_WORKERS": options.workers,
        "STORAGE_DATA_DIR": str(options.data_dir),
        "API_KEY": options.api_key,
    }
    each = [
        _over(present, inference | {"INFERENCE_UNIX_SOCKET": str(socket)}) for socket in sockets
    ]
    return each, _over(present, edge)


def pack_line(serving: LogLine) -> str:
    """Which pack is served, of which version and licence, by the line that says "serving"."""
    return f"{serving.get('pack')} {serving.get('version')}, licence: {serving.get('licence')}"


def url_of(host: str, port: object) -> str:
    """Where to reach, from this machine, what listens on `host`."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104  # not bound here: recognised
        host = "127.0.0.1" if host != "::" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _until_ready(url: str, on_step: Callable[[str], None]) -> None:
    """Return when /readyz answers 200.

    Raises CommandError if that takes too long, or if waiting cannot help: the base was filled with
    another pack.
    """
    said = "no answer"
    try:
        async with asyncio.timeout(_READY_SECONDS), httpx2.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    answer = await client.get(f"{url}/readyz")
                except httpx2.TransportError as error:
                    said = str(error)
                else:
                    if answer.is_success:
                        return
                    said = _why_not_ready(answer)
                    on_step(said)
                await asyncio.sleep(_READY_POLL_SECONDS)
    except TimeoutError:
        raise CommandError(f"the service did not become ready: {said}") from None


def _why_not_ready(answer: httpx2.Response) -> str:
    try:
        readiness = Readiness.model_validate_json(answer.content)
    except ValidationError:
        return f"/readyz answers {answer.status_code}"
    for dependency in readiness.dependencies.values():
        if dependency.state == "mismatch":
            raise CommandError(
                f"the base was filled with another pack: {dependency.detail}",
                "start with that pack (--pack NAME), or on another --data-dir",
                exit_code=ExitCode.USAGE,
            )
    return readiness.detail or readiness.status


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for the socket that only this user may enter, with a path short enough for one."""
    preferred = Path(tempfile.gettempdir())
    base = preferred if len(str(preferred)) < _LONGEST_SOCKET_FOLDER else Path("/tmp")  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="facesearch-", dir=base) as folder:
        yield Path(folder)


def _over(present: Mapping[str, str], own: Mapping[str, str | None]) -> dict[str, str]:
    return {**present, **{name: value for name, value in own.items() if value is not None}}


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
