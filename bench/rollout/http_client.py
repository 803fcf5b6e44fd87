"""HTTP as the generator of the rehearsals speaks it: kept connections, any status, no exception."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.load.observed import NO_ANSWER

_IDLE_SECONDS = 30.0
"""Less than the balancer keeps a connection that nobody uses."""
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    """NO_ANSWER: none came."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


class Client:
    """A pool of connections to one address, as large as there are requests at once."""

    def __init__(self, url: str, patience_seconds: float) -> None:
        """patience_seconds: for one answer; beyond the deadline that requests ask for."""
        parts = urlsplit(url)
        self._patience_seconds = patience_seconds
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[float, _Connection]] = []

    async def ask(self, request: bytes, *, is_lost: bool = False) -> Answer:
        """The answer to a whole request.

        is_lost: its last connection broke, so it gets a new one: others that were kept may lead to
        where that one led.
        """
        try:
            async with asyncio.timeout(self._patience_seconds):
                connection = await (self._connect() if is_lost else self._connection())
                answer = await connection.ask(request)
        except (OSError, EOFError, ValueError, TimeoutError):
            return Answer(NO_ANSWER)
        if answer.headers.get("connection", "").lower() == "close":
            connection.close()
        else:
            self._idle.append((time.monotonic(), connection))
        return answer

    def close(self) -> None:
        """Hang up wherever nothing is awaited."""
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _connection(self) -> _Connection:
        while self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() < since + _IDLE_SECONDS and connection.is_open:
                return connection
            connection.close()
        return await self._connect()

    async def _connect(self) -> _Connection:
        return _Connection(*await asyncio.open_connection(self._host, self._port))


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def is_open(self) -> bool:
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def ask(self, request: bytes) -> Answer:
        """Raises OSError, EOFError or ValueError if no whole answer comes."""
        try:
            self._writer.write(request)
            await self._writer.drain()
            head = await self._reader.readuntil(_END_OF_HEAD)
            status, headers = read_head(head)
            body = await self._reader.readexactly(int(headers["content-length"]))
        except BaseException:
            self.close()
            raise
        return Answer(status, headers, body)

    def close(self) -> None:
        self._writer.close()


def read_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers. Raises ValueError if the bytes are no head that tells its body's size."""
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if not status_line.startswith("HTTP/1.") or "content-length" not in headers:
        raise ValueError(f"no HTTP answer: {status_line[:40]!r}")
    return int(status_line.split(" ")[1]), headers
