"""Traces of requests. Off unless EDGE_TRACING_URL is set; nothing here knows OpenTelemetry.

Off means that there is no Tracing at all: the middleware that begins a trace and the ports that add
to it are put in place only where there is one (edge/app.py, edge/services.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Protocol

from edge.errors import StartRefused
from edge.settings import EdgeSettings

OnLost = Callable[[str, int], None]
"""Told why spans were lost, in a word, and how many. On any thread."""


class RequestTrace(Protocol):
    """The trace of one request, as its middleware sees it."""

    @property
    def trace_id(self) -> str:
        """32 hex digits, also of a request that is not sampled."""
        ...

    def answered(self, *, route: str | None, status: int, code: str | None) -> None:
        """What came of it. route: the template, never the path; None: there is no such route."""
        ...


class Tracing(Protocol):
    """Makes spans. While a block of it runs, `edge.deadline.current_traceparent` names its span."""

    def request(
        self, method: str, headers: Mapping[str, str]
    ) -> AbstractContextManager[RequestTrace]:
        """The span of a request; joins the trace that the headers name, if they name one."""
        ...

    def part(self, name: str, *, is_remote: bool = False) -> AbstractContextManager[None]:
        """A part of the request that runs it; outside of a sampled request it leaves no span.

        is_remote: the other side has spans of its own.
        """
        ...


@asynccontextmanager
async def open_tracing(
    settings: EdgeSettings, version: str, on_lost: OnLost
) -> AsyncIterator[Tracing | None]:
    """The tracing that the settings ask for; None: none. At the end spans are sent that still wait.

    Raises StartRefused: the extra is not installed, or a file that an OTEL_ variable names cannot
    be read.
    """
    if not settings.tracing_url:
        yield None
        return
    try:
        from edge.tracing_otel import OtelTracing, sampler  # noqa: PLC0415  # only if on
        from telemetry.export import close_provider, open_provider  # noqa: PLC0415
    except ImportError as error:
        raise StartRefused(
            f"EDGE_TRACING_URL needs the extra otel ({error}); "
            "install it with pip install 'facesearch[otel]', or unset the variable"
        ) from error
    try:
        provider = open_provider(
            settings.tracing_url,
            sampler(settings.tracing_ratio),
            service="facesearch-edge",
            version=version,
            on_lost=on_lost,
        )
    except ValueError as error:
        raise StartRefused(str(error)) from error
    try:
        yield OtelTracing(provider, version)
    finally:
        # In a thread: a second signal must still be heard.
        await asyncio.to_thread(close_provider, provider)
