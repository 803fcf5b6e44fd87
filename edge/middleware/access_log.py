"""One log line a request, and the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import structlog
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.facts import facts_of
from edge.metrics import EdgeMetrics

CLIENT_GONE = 499  # nginx's number for an answer that nobody waited for
OTHER = "other"
_PROBES = frozenset({"/ping", "/livez", "/readyz", "/metrics"})


class AccessLog:
    """Counts and logs what was answered, and how long it took."""

    def __init__(self, app: ASGIApp, metrics: EdgeMetrics, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes
        self._metrics = metrics

    @cached_property
    def _log(self) -> structlog.typing.FilteringBoundLogger:
        # Once, not for each line: to make a logger takes a sixth of the time of a line.
        return cast(
            "structlog.typing.FilteringBoundLogger", structlog.get_logger("edge.access").bind()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = CLIENT_GONE

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self._metrics.in_flight():
                await self._app(scope, receive, note_status)
        finally:
            self._write(scope, status)

    def _write(self, scope: Scope, status: int) -> None:
        facts = facts_of(scope)
        route = route_of(scope, self._routes)
        elapsed = facts.elapsed_seconds
        self._metrics.request(route, scope["method"], status, elapsed, facts)
        level = "debug" if route in _PROBES and status < 400 else "info"
        getattr(self._log, level)(
            "request",
            request_id=facts.request_id,
            method=scope["method"],
            route=route,
            status=status,
            code=facts.code,
            key=facts.caller.name if facts.caller else None,
            milliseconds=round(elapsed * 1000, 1),
            stages={name: round(value * 1000, 1) for name, value in facts.stage_seconds.items()},
            **facts.counts,
        )


def route_of(scope: Scope, routes: Sequence[BaseRoute]) -> str:
    """The route's own path; OTHER where none fits, so that labels stay bounded."""
    routed = scope.get("route")
    if routed is None:  # refused before it came to routing
        routed = next(
            (route for route in routes if route.matches(scope)[0] is not Match.NONE), None
        )
    return getattr(routed, "path", OTHER)
