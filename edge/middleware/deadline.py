"""The deadline of a request, from the caller or by default."""

from __future__ import annotations

import asyncio
import math
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.deadline import current_traceparent, request_scope
from edge.errors import DeadlineExceeded, InvalidParameter
from edge.facts import facts_of

HEADER = "X-Request-Timeout"
# W3C trace context; a later version may append to it. gRPC refuses a call with bytes that are none.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?")


class Deadline:
    """Gives the request its time, sends it on with every call, and ends what takes longer.

    It covers the sending of the body too, so that a slow client does not hold a place for ever.
    """

    def __init__(self, app: ASGIApp, default_seconds: float, max_seconds: float) -> None:
        self._app = app
        self._default_seconds = default_seconds
        self._max_seconds = max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        seconds = self._seconds(headers.get(HEADER))
        with request_scope(
            timeout_seconds=seconds,
            request_id=facts_of(scope).request_id,
            # Of the request's own span, where it has one.
            traceparent=current_traceparent.get() or _trace_of(headers),
        ):
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    await self._app(scope, receive, send)
            except TimeoutError:
                if not limit.expired():
                    raise  # a TimeoutError of something inside, not ours
                raise DeadlineExceeded(
                    f"the request took longer than its {seconds:g} s; "
                    f"allow more with {HEADER} (up to {self._max_seconds:g}) and send it again"
                ) from None

    def _seconds(self, sent: str | None) -> float:
        if sent is None:
            return self._default_seconds
        try:
            seconds = float(sent)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds > 0):
            raise InvalidParameter(HEADER, "must be a number of seconds above 0, such as 2.5")
        return min(seconds, self._max_seconds)


def _trace_of(headers: Headers) -> str | None:
    sent = headers.get("traceparent", "")
    return sent if _TRACEPARENT.fullmatch(sent) else None
