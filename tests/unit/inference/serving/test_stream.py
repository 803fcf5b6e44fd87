"""Flow control of a stream, without gRPC."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from inference.admission import NOTHING, Admission, Load
from inference.errors import Draining, InvalidCall
from inference.stream import FlowControl


async def turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class Client:
    """Sends numbers as fast as it is read; takes answers while `reads_answers` is set."""

    to_send: list[int]
    answers: list[int] = field(default_factory=list)
    taken: int = 0
    reads_answers: asyncio.Event = field(default_factory=asyncio.Event)
    stays_open: bool = False

    async def read(self) -> int | None:
        if self.taken == len(self.to_send):
            if self.stays_open:
                await asyncio.Event().wait()
            return None
        self.taken += 1
        return self.to_send[self.taken - 1]

    async def write(self, answer: int) -> None:
        await self.reads_answers.wait()
        self.answers.append(answer)


def control(
    client: Client, admission: Admission, *, window: int = 4, draining: asyncio.Event | None = None
) -> FlowControl[int, int]:
    async def negate(number: int) -> int:
        await asyncio.sleep(0)
        if number == 1313:
            raise InvalidCall("thirteen")
        return -number

    return FlowControl(
        read=client.read,
        write=client.write,
        answer=negate,
        load=lambda number: Load(1, 1),
        admission=admission,
        window=window,
        draining=draining or asyncio.Event(),
    )


async def test_every_request_is_answered_once() -> None:
    client, admission = Client(list(range(1, 13))), Admission(Load(100, 100))
    client.reads_answers.set()
    await control(client, admission).run()
    assert sorted(client.answers) == [-n for n in range(12, 0, -1)]
    assert admission.held == NOTHING


async def test_a_client_that_reads_no_answers_is_read_no_further_than_the_window() -> None:
    client, admission = Client(list(range(1, 101))), Admission(Load(100, 100))
    stream = asyncio.create_task(control(client, admission, window=4).run())
    await turns()
    assert client.taken == 4

    client.reads_answers.set()
    await stream
    assert len(client.answers) == 100


async def test_a_full_server_reads_one_message_and_waits() -> None:
    client, admission = Client(list(range(1, 11))), Admission(Load(2, 100))
    client.reads_answers.set()
    await admission.acquire(Load(2, 2))
    stream = asyncio.create_task(control(client, admission).run())
    await turns()
    assert client.taken == 1
    assert client.answers == []

    admission.release(Load(2, 2))
    await stream
    assert len(client.answers) == 10


async def test_a_stopping_server_answers_what_it_read_and_then_says_so() -> None:
    client, admission = Client([1, 2, 3], stays_open=True), Admission(Load(100, 100))
    draining = asyncio.Event()
    stream = asyncio.create_task(control(client, admission, draining=draining).run())
    await turns()
    assert client.taken == 3

    draining.set()
    await turns()
    assert not stream.done()  # nothing was taken by the client yet
    client.reads_answers.set()
    with pytest.raises(Draining):
        await stream
    assert sorted(client.answers) == [-3, -2, -1]


async def test_a_request_that_fails_the_stream_ends_it_with_its_own_error() -> None:
    client, admission = Client([1, 1313, 2, 3]), Admission(Load(100, 100))
    client.reads_answers.set()
    with pytest.raises(InvalidCall, match="thirteen"):
        await control(client, admission).run()
    assert admission.held == NOTHING


async def test_a_cancelled_stream_gives_everything_back() -> None:
    client, admission = Client(list(range(1, 101))), Admission(Load(3, 100))
    stream = asyncio.create_task(control(client, admission, window=8).run())
    await turns()
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream
    await turns()
    assert admission.held == NOTHING
