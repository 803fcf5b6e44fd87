"""The trace of a request. In place only where EDGE_TRACING_URL is set."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.facts import facts_of
from edge.middleware.access_log import CLIENT_GONE, OTHER, route_of
from edge.middleware.keys import OPEN_PATHS
from edge.tracing import Tracing


class Traced:
    """One span a request, around everything that is known of its end; probes have none.

    Every line that is logged meanwhile names the trace (`trace_id`).
    """

    def __init__(self, app: ASGIApp, tracing: Tracing, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._tracing = tracing
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        status = CLIENT_GONE

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with (
            self._tracing.request(scope["method"], Headers(scope=scope)) as trace,
            structlog.contextvars.bound_contextvars(trace_id=trace.trace_id),
        ):
            try:
                await self._app(scope, receive, note_status)
            finally:
                route = route_of(scope, self._routes)
                trace.answered(
                    route=None if route == OTHER else route,
                    status=status,
                    code=facts_of(scope).code,
                )
