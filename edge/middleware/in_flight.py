"""No long queue: what cannot be started now is refused now."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.errors import Overloaded
from edge.middleware.keys import OPEN_PATHS
from edge.middleware.unread_body import has_body

RECEIVING_PER_WORK = 8
"""How many requests may still be sending, for each that may be at work."""


class InFlight:
    """Lets so many requests work at once; Overloaded for the next. Probes always pass.

    A request is at work once its body is there: clients on slow lines would else hold every place
    for as long as their deadline lets them. Those that still send are bounded too, by their number
    and by the bytes that have come.
    """

    def __init__(self, app: ASGIApp, limit: int, *, max_body_bytes: int) -> None:
        """max_body_bytes: of one request.

        Those that still send hold so many for each place, and for one more: a single request that
        is too large is to be told so.
        """
        self._app = app
        self._limit = limit
        self._at_work = 0
        self._max_sending = limit * RECEIVING_PER_WORK
        self._sending = 0
        self._max_sent_bytes = (limit + 1) * max_body_bytes
        self._sent_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        self._check_places()  # also before a body is read in vain
        if has_body(Headers(scope=scope)):
            await self._after_its_body(scope, receive, send)
            return
        self._at_work += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_work -= 1

    async def _after_its_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sending >= self._max_sending:
            raise Overloaded(
                f"{self._sending} requests are being received already; wait a moment and send this "
                "again"
            )
        self._sending += 1
        sent_bytes = 0
        is_at_work = False

        async def until_its_end() -> Message:
            nonlocal sent_bytes, is_at_work
            message = await receive()
            if is_at_work or message["type"] != "http.request":
                return message
            size = len(message.get("body", b""))
            sent_bytes += size
            self._sent_bytes += size
            if self._sent_bytes > self._max_sent_bytes:
                raise Overloaded(
                    f"{self._sending} requests are being received already, with as many bytes as "
                    "there is room for; wait a moment and send this again"
                )
            if not message.get("more_body", False):
                self._check_places()
                self._sending -= 1
                self._sent_bytes -= sent_bytes
                self._at_work += 1
                is_at_work = True
            return message

        try:
            await self._app(scope, until_its_end, send)
        finally:
            if is_at_work:
                self._at_work -= 1
            else:
                self._sending -= 1
                self._sent_bytes -= sent_bytes

    def _check_places(self) -> None:
        if self._at_work >= self._limit:
            raise Overloaded(
                f"{self._limit} requests are at work already; wait a moment and send this again"
            )
