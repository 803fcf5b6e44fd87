"""HTTP as the generator of the soak speaks it: any number of kept connections, any status."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from bench.load.http_connection import HttpConnection
from bench.load.observed import NO_ANSWER

_PATIENCE_SECONDS = 15.0
"""Beyond the edge's default deadline of 10 s: who waits longer has been forgotten."""
_IDLE_SECONDS = 2.0
"""A server hangs up on who is idle (the edge after 65 s): a request must not cross with that."""


class Client:
    """A pool of connections to one edge, which may go away and come back."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[float, HttpConnection]] = []

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; NO_ANSWER and nothing if none came."""
        try:
            connection = await self._connection()
        except OSError:
            return NO_ANSWER, b""
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

        def answered(status: int, body: bytes) -> None:
            if not answer.done():
                answer.set_result((status, body))

        connection.request([request], answered)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await answer
        except TimeoutError:
            connection.close()
            return NO_ANSWER, b""

    def close(self) -> None:
        """Hang up wherever nothing is awaited."""
        for _, connection in self._idle:
            connection.close()

    async def _connection(self) -> HttpConnection:
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_open and time.monotonic() < since + _IDLE_SECONDS:
                return connection
            connection.close()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            _, made = await loop.create_connection(
                lambda: HttpConnection(self._keep), self._host, self._port
            )
        return made

    def _keep(self, connection: HttpConnection) -> None:
        self._idle.append((time.monotonic(), connection))
