"""No long queue: what cannot be started now is refused now."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from edge.errors import Overloaded
from edge.middleware.keys import OPEN_PATHS


class InFlight:
    """Lets so many requests work at once; Overloaded for the next. Probes always pass."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if self._count >= self._limit:
            raise Overloaded(
                f"{self._limit} requests are at work already; wait a moment and send this again"
            )
        self._count += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._count -= 1
