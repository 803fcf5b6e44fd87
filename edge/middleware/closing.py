"""While the process drains, each answer is the last one of its connection."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.backend import Backend, Phase


class Closing:
    """Says `Connection: close` from the moment of the signal on.

    A balancer of connections (a Service of Kubernetes) sends nothing new here any more, but what
    holds a connection open goes on using it. It would send its next request just as the port
    closes, and get no answer; told in time, it connects to another process.
    """

    def __init__(self, app: ASGIApp, backend: Backend) -> None:
        self._app = app
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            is_start = message["type"] == "http.response.start"
            if is_start and self._backend.phase is Phase.DRAINING:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, closing)
