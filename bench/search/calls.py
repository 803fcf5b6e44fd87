"""HTTP calls at little cost to the machine that is measured.

Connections are kept, and of the head of an answer only the status and the length are read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BOUNDARY = b"bench-4f1d2c"
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class Connections:
    """Kept connections to one server; as many as are needed at once."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[_Stream] = []

    async def call(self, request: bytes) -> Answer:
        """Send a whole request and read its answer. Raises OSError, EOFError."""
        reader, writer = self._idle.pop() if self._idle else await self._connected()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if b"\r\nconnection: close" in head.lower():
            writer.close()
        else:
            self._idle.append((reader, writer))
        return Answer(int(head[9:12]), body)

    async def _connected(self) -> _Stream:
        return await asyncio.open_connection(self._host, self._port, limit=1 << 20)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


@asynccontextmanager
async def connections(host: str, port: int) -> AsyncIterator[Connections]:
    """Connections that are closed at the end of the block."""
    opened = Connections(host, port)
    try:
        yield opened
    finally:
        opened.close()


def form(method: str, path: str, key: str, image: bytes, **fields: str) -> bytes:
    """A request with a multipart form: the image and some fields."""
    parts = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (_BOUNDARY, name.encode(), value.encode())
        for name, value in fields.items()
    ]
    parts.append(
        b'--%s\r\nContent-Disposition: form-data; name="image"; filename="selfie.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n%s\r\n" % (_BOUNDARY, image)
    )
    body = b"".join([*parts, b"--%s--\r\n" % _BOUNDARY])
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {key}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def many_at_once(
    call: Callable[[bytes], Awaitable[Answer]], requests: Iterator[bytes], callers: int
) -> list[Answer]:
    """All of the requests, so many at a time."""
    answers: list[Answer] = []

    async def work() -> None:
        for request in requests:
            answers.append(await call(request))  # noqa: PERF401  # other callers append between

    async with asyncio.TaskGroup() as workers:
        for _ in range(callers):
            workers.create_task(work())
    return answers
