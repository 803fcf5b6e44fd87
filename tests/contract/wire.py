"""A TCP proxy with faults: as told, it cuts, answers 503 or goes silent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_PIECE = 65_536


class Wire:
    """Between clients and a server on 127.0.0.1; sound at first. It runs in a thread of its own."""

    def __init__(self, port: int) -> None:
        """port: of the server."""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_after: int | None = None
        self._cuts_left = 0
        self._is_silent = False
        self._busy_left = 0
        self._cut_answers_after = 0
        self._answer_cuts_left = 0
        self.faults = 0
        """Cuts made and 503s answered so far."""
        self.url = ""
        """Where clients find it."""

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, times: int, *, after_bytes: int) -> None:
        """The next connections, as many, are reset once so much went to the server."""

        def change() -> None:
            self._cut_after, self._cuts_left = after_bytes, times

        self._change(change)

    def cut_answers(self, times: int, *, after_bytes: int) -> None:
        """The next connections, as many, are reset once so much came back from the server."""

        def change() -> None:
            self._cut_answers_after, self._answer_cuts_left = after_bytes, times

        self._change(change)

    def busy(self, times: int) -> None:
        """The next requests, as many, are answered with 503 SlowDown."""

        def change() -> None:
            self._busy_left = times

        self._change(change)

    def silent(self) -> None:
        """Everything is taken, and nothing comes back."""

        def change() -> None:
            self._is_silent = True

        self._change(change)

    def sound(self) -> None:
        """Everything goes through again."""

        def change() -> None:
            self._cut_after, self._cuts_left, self._busy_left = None, 0, 0
            self._answer_cuts_left = 0
            self._is_silent = False

        self._change(change)

    def _change(self, change: Callable[[], None]) -> None:
        done = threading.Event()

        def now() -> None:
            change()
            for writer in self._writers:  # kept connections would not notice
                writer.transport.abort()
            done.set()

        self._loop.call_soon_threadsafe(now)
        done.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                if self._is_silent:
                    await reader.read()
                elif self._busy_left > 0:
                    self._busy_left -= 1
                    await self._refuse(reader, writer)
                else:
                    await self._forward(reader, writer)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        await reader.readexactly(sum(lengths))
        length = str(len(_BUSY)).encode()
        writer.write(
            b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: "
            + length
            + b"\r\n\r\n"
        )
        writer.write(_BUSY)
        self.faults += 1
        await writer.drain()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit: int | None = None
        if self._cuts_left > 0:
            self._cuts_left -= 1
            limit = self._cut_after
        answer_limit: int | None = None
        if self._answer_cuts_left > 0:
            self._answer_cuts_left -= 1
            answer_limit = self._cut_answers_after
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.add(to_server)
        back = asyncio.create_task(self._answer(from_server, writer, answer_limit))
        try:
            while piece := await reader.read(_PIECE if limit is None else min(limit, _PIECE)):
                to_server.write(piece)
                await to_server.drain()
                if limit is not None:
                    limit -= len(piece)
                    if limit <= 0:
                        self.faults += 1
                        return
        finally:
            back.cancel()
            self._writers.discard(to_server)
            to_server.transport.abort()
            await asyncio.gather(back, return_exceptions=True)

    async def _answer(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, limit: int | None
    ) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(_PIECE if limit is None else min(limit, _PIECE)):
                sink.write(piece)
                await sink.drain()
                if limit is not None:
                    limit -= len(piece)
                    if limit <= 0:
                        self.faults += 1
                        sink.transport.abort()
                        return

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted connections are closed in the next turn
