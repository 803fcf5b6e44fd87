"""Places at work: who takes one, from when on, and what those get who find none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from starlette.types import Message, Receive, Scope, Send

from edge.errors import Overloaded
from edge.middleware.in_flight import RECEIVING_PER_WORK, InFlight

MAX_BODY = 1000


async def _ignore(_: Message) -> None: ...


class Work:
    """The application inside: reads the body to its end, then works until the test lets go."""

    def __init__(self) -> None:
        self.begun = 0
        self.gate = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        self.begun += 1
        await self.gate.wait()


class Sender:
    """A client whose body comes when the test says so."""

    def __init__(self, places: InFlight, *, has_body: bool = True) -> None:
        self._pieces: asyncio.Queue[Message] = asyncio.Queue()
        headers = [(b"transfer-encoding", b"chunked")] if has_body else []
        scope = {"type": "http", "path": "/search/", "headers": headers}
        self.answered = asyncio.create_task(places(scope, self._pieces.get, _ignore))
        if not has_body:
            self.send(b"", is_last=True)

    def send(self, piece: bytes, *, is_last: bool) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": not is_last})

    def disconnect(self) -> None:
        self._pieces.put_nowait({"type": "http.disconnect"})

    async def is_refused(self) -> bool:
        """Whether it is refused; waits for that."""
        with pytest.raises(Overloaded):
            await asyncio.wait_for(self.answered, 10)
        return True


@asynccontextmanager
async def letting_go(work: Work) -> AsyncIterator[Callable[[Sender], Sender]]:
    """What the block marks as accepted must be answered at its end."""
    async with AsyncExitStack() as stack:

        def accepted(sender: Sender) -> Sender:
            stack.push_async_callback(asyncio.wait_for, sender.answered, 10)
            return sender

        try:
            yield accepted
        finally:
            work.gate.set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)


async def test_who_still_sends_holds_no_place_and_gets_one_with_the_end_of_the_body() -> None:
    work = Work()
    places = InFlight(work, limit=1, max_body_bytes=MAX_BODY)
    async with letting_go(work) as accepted:
        slow = [Sender(places) for _ in range(RECEIVING_PER_WORK - 1)]
        for sender in slow:
            sender.send(b"dribble", is_last=False)
        quick = accepted(Sender(places))
        quick.send(b"whole", is_last=True)
        await until(lambda: work.begun == 1)
        # The place is taken now: who ends its body is refused, once, and at once.
        for sender in slow[1:]:
            sender.send(b"end", is_last=True)
            assert await sender.is_refused()
        work.gate.set()
        await quick.answered
        accepted(slow[0]).send(b"end", is_last=True)
    assert work.begun == 2


async def test_without_a_place_nothing_of_the_body_is_read() -> None:
    work = Work()
    places = InFlight(work, limit=1, max_body_bytes=MAX_BODY)
    async with letting_go(work) as accepted:
        accepted(Sender(places, has_body=False))
        await until(lambda: work.begun == 1)
        assert await Sender(places).is_refused()
        assert await Sender(places, has_body=False).is_refused()


async def test_those_who_send_are_bounded_in_number() -> None:
    work = Work()
    places = InFlight(work, limit=2, max_body_bytes=MAX_BODY)
    async with letting_go(work) as accepted:
        senders = [accepted(Sender(places)) for _ in range(2 * RECEIVING_PER_WORK)]
        assert await Sender(places).is_refused()
        work.gate.set()
        for sender in senders:
            sender.send(b"end", is_last=True)
            await sender.answered
    assert work.begun == 2 * RECEIVING_PER_WORK


async def test_those_who_send_are_bounded_in_bytes_and_give_them_back() -> None:
    work = Work()
    work.gate.set()
    places = InFlight(work, limit=1, max_body_bytes=MAX_BODY)
    for _ in range(3):  # what was held is free again each time
        first, second = Sender(places), Sender(places)
        first.send(b"x" * MAX_BODY, is_last=False)
        second.send(b"x" * MAX_BODY, is_last=False)
        second.send(b"x", is_last=False)
        assert await second.is_refused()
        first.send(b"", is_last=True)
        await first.answered


async def test_a_client_that_goes_while_it_sends_leaves_its_bytes_and_its_turn() -> None:
    work = Work()
    work.gate.set()
    places = InFlight(work, limit=1, max_body_bytes=MAX_BODY)
    for _ in range(3 * RECEIVING_PER_WORK):
        gone = Sender(places)
        gone.send(b"x" * MAX_BODY, is_last=False)
        gone.disconnect()
        await gone.answered


async def test_probes_always_pass() -> None:
    work = Work()
    places = InFlight(work, limit=1, max_body_bytes=MAX_BODY)
    async with letting_go(work) as accepted:
        accepted(Sender(places, has_body=False))
        await until(lambda: work.begun == 1)
        probe = asyncio.create_task(
            places({"type": "http", "path": "/livez", "headers": []}, asyncio.Queue().get, _ignore)
        )
        await asyncio.sleep(0)
        assert not probe.done()
        probe.cancel()
