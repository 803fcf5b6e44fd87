"""An answer that comes before the end of the body must reach the client.

A server that answers and closes while the client still sends makes the kernel reset the
connection, and the client may see the reset instead of the answer. So: answer, read on for a
moment, then close.
"""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.facts import facts_of

MAX_DRAINED_BYTES = 1024 * 1024
MAX_DRAIN_SECONDS = 0.2


class UnreadBody:
    """Answers first, then drains at most 1 MiB or 200 ms, then closes the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        is_read = False

        async def note_end() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body", False)
            return message

        async def send_then_drain(message: Message) -> None:
            if is_read:
                await send(message)
            elif message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
                await send(message)
            elif message.get("more_body", False):
                await send(message)
            else:
                # The answer is complete for the client by its Content-Length; the server closes
                # the connection at the end of the body, which waits until after the drain.
                await send({**message, "more_body": True})
                facts_of(scope).answered = time.perf_counter()
                await _drain(note_end)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, note_end, send_then_drain)


def has_body(headers: Headers) -> bool:
    """Whether a body was announced."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


async def _drain(receive: Receive) -> None:
    drained = 0
    try:
        async with asyncio.timeout(MAX_DRAIN_SECONDS):
            while drained < MAX_DRAINED_BYTES:
                message = await receive()
                drained += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
