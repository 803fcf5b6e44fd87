"""Traces of calls. Off unless INFERENCE_TRACING_URL is set; nothing here knows OpenTelemetry.

A trace goes with its `Call` from hand to hand, not with the context: the work is done on threads.
Where there is none, `UNTRACED` stands in its place and does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from inference.errors import StartError

Metadata = Iterable[tuple[str, str | bytes]]
OnLost = Callable[[str, int], None]
"""Told why spans were lost, in a word, and how many. On any thread."""


class Trace(Protocol):
    """Where a call, or a part of it, is noted. For one thread at a time."""

    @property
    def trace_id(self) -> str:
        """32 hex digits; "" where nothing is noted."""
        ...

    def part(self, name: str) -> AbstractContextManager[Trace]:
        """A part that runs for the length of the block; what is raised through it is noted."""
        ...

    def lap(self, stage: str) -> None:
        """A stage ends now; it began where the last one of this trace ended, or with the trace."""
        ...

    def note(self, name: str, value: str | float) -> None:
        """A fact of it. Never pixels, vectors or what a caller may have named."""
        ...

    def end(self, code: str) -> None:
        """The call is over, with this gRPC status."""
        ...


class Untraced:
    """A Trace that notes nothing, and so is every part of itself."""

    trace_id = ""

    def part(self, name: str) -> Untraced:
        del name
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    def lap(self, stage: str) -> None: ...

    def note(self, name: str, value: str | float) -> None: ...

    def end(self, code: str) -> None: ...


UNTRACED: Final = Untraced()


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One run of a network for several items, a moment ago."""

    queue: str
    traces: Sequence[Trace]
    """Of the items' calls, one an item."""
    waits: Sequence[float]
    """Seconds in the queue, one an item."""
    padded_size: int
    seconds: float
    failed: int
    """Items without a result."""


TraceRun = Callable[[BatchRun], None]


class Tracing(Protocol):
    """Begins the traces of calls, and is told of batches."""

    @property
    def of_batches(self) -> TraceRun | None:
        """To be told of each run of a batcher whose items are of several calls; None: nobody is."""
        ...

    def call(self, rpc: str, metadata: Metadata) -> Trace:
        """A call begins; it joins the trace that its metadata names, if they name one."""
        ...


class NoTracing:
    """A Tracing of nothing."""

    of_batches = None

    def call(self, rpc: str, metadata: Metadata) -> Trace:
        del rpc, metadata
        return UNTRACED


NO_TRACING: Final = NoTracing()


@asynccontextmanager
async def open_tracing(
    url: str, ratio: float, *, version: str, on_lost: OnLost
) -> AsyncIterator[Tracing]:
    """The tracing of this process; at the end spans are sent that still wait.

    url: of the collector; "" traces nothing. ratio: of the calls that come without a trace. Raises
    StartError: the extra is not installed, or an OTEL_ variable names a file that cannot be read.
    """
    if not url:
        yield NO_TRACING
        return
    try:
        from inference.tracing_otel import OtelTracing  # noqa: PLC0415  # only if on
        from inference.tracing_sampler import sampler  # noqa: PLC0415
        from telemetry.export import close_provider, open_provider  # noqa: PLC0415
    except ImportError as error:
        raise StartError(
            f"INFERENCE_TRACING_URL needs the extra otel ({error}); "
            "install it with pip install 'facesearch[otel]', or unset the variable"
        ) from error
    try:
        provider = open_provider(
            url, sampler(ratio), service="facesearch-inference", version=version, on_lost=on_lost
        )
    except ValueError as error:
        raise StartError(str(error)) from error
    try:
        yield OtelTracing(provider, version)
    finally:
        # In a thread: a second signal must still be heard.
        await asyncio.to_thread(close_provider, provider)
