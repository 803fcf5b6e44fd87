"""Sends searches over as many connections as it takes."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from bench.load.http_connection import HttpConnection
from bench.load.observed import NO_ANSWER
from bench.load.open_loop import Recorder
from bench.load.requests import SearchRequests

_RUN = 10**8
"""More requests than a run has."""


class HttpSender:
    """A pool of connections. A request that finds none free opens another: it never waits here."""

    def __init__(self, url: str, requests: SearchRequests, recorder: Recorder, run: int) -> None:
        """run: sets the selfies of this run apart from those of any other."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests = requests
        self._recorder = recorder
        self._first_mark = run * _RUN
        self._idle: list[HttpConnection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self.opened = 0
        """Connections, in all."""

    def send(self, number: int) -> None:
        """Start request `number` now."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                self._send_on(connection, number)
                return
        opening = asyncio.create_task(self._open_and_send(number))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    def close(self) -> None:
        """Hang up everywhere. All answers must be there."""
        for connection in self._idle:
            connection.close()

    async def _open_and_send(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.opened += 1
        try:
            _, connection = await loop.create_connection(
                lambda: HttpConnection(self._idle.append), self._host, self._port
            )
        except OSError:
            self._recorder.sent(number)
            self._recorder.done(number, NO_ANSWER, is_right=False)
            return
        self._send_on(connection, number)

    def _send_on(self, connection: HttpConnection, number: int) -> None:
        def answered(status: int, body: bytes) -> None:
            is_right = self._requests.is_right(number, body)
            self._recorder.done(number, status, is_right=is_right)

        self._recorder.sent(number)
        connection.request(self._requests.parts(number, self._first_mark + number), answered)
