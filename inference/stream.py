"""Flow control of a stream: the server reads no more than it can hold.

One reader takes a message only when a slot of the stream's window is free, and the next one only
after the last was admitted. A slot is free again when its answer was written, so a client that does
not read its answers is not read either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Generic, TypeVar

from inference.admission import Admission, Load
from inference.errors import Draining

Request = TypeVar("Request")
Response = TypeVar("Response")


class FlowControl(Generic[Request, Response]):
    """One stream.

    read: the next request; None: the client sent its last one. write: sends a response; called by
    one coroutine only. answer: one request's response; may raise to end the stream. draining: set
    when the server stops; what was read is still answered.
    """

    def __init__(
        self,
        *,
        read: Callable[[], Awaitable[Request | None]],
        write: Callable[[Response], Awaitable[None]],
        answer: Callable[[Request], Coroutine[None, None, Response]],
        load: Callable[[Request], Load],
        admission: Admission,
        window: int,
        draining: asyncio.Event,
    ) -> None:
        self._read = read
        self._write = write
        self._answer = answer
        self._load = load
        self._admission = admission
        self._window = window
        self._free_slots = asyncio.Semaphore(window)
        self._draining = draining
        self._outbox: asyncio.Queue[Response | None] = asyncio.Queue()

    async def run(self) -> None:
        """Serve the stream to its end.

        Raises:
            Draining: the server stops; everything that was read has been answered.
        """
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read_all(group))
                while (response := await self._outbox.get()) is not None:
                    await self._write(response)
                    self._free_slots.release()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        if not reading.result():
            raise Draining("the server is stopping; send what was not answered again")

    async def _read_all(self, group: asyncio.TaskGroup) -> bool:
        """Whether the client's last request was read; False: the server stops before that."""
        await self._free_slots.acquire()
        while (request := await self._next()) is not None:
            load = self._load(request)
            await self._admission.acquire(load)
            task = group.create_task(self._work(request))
            # Not in the task itself: one that is cancelled before it begins runs no code at all.
            task.add_done_callback(partial(self._release, load))
            await self._free_slots.acquire()
        is_complete = not self._draining.is_set()
        for _ in range(self._window - 1):
            await self._free_slots.acquire()  # all of them: everything has been written
        await self._outbox.put(None)
        return is_complete

    def _release(self, load: Load, _: asyncio.Task[None]) -> None:
        self._admission.release(load)

    async def _next(self) -> Request | None:
        """The next request; None: there is none, or the server is stopping."""
        if self._draining.is_set():
            return None
        reading = asyncio.ensure_future(self._read())
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait((reading, draining), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            draining.cancel()
            reading.cancel()

    async def _work(self, request: Request) -> None:
        await self._outbox.put(await self._answer(request))
