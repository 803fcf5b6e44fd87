"""What the server holds at once."""

from __future__ import annotations

import asyncio

import pytest

from inference.admission import NOTHING, Admission, Load
from inference.errors import Overloaded


async def turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_call_that_does_not_fit_is_refused_at_once_and_told_when_to_come_back() -> None:
    admission = Admission(Load(2, 1000))
    with admission.enter(Load(2, 10)):
        with pytest.raises(Overloaded) as refused, admission.enter(Load(1, 1)):
            pass
        assert refused.value.retry_after_seconds > 0
    with admission.enter(Load(2, 10)):
        assert admission.held == Load(2, 10)
    assert admission.held == NOTHING


def test_bytes_bound_as_items_do() -> None:
    admission = Admission(Load(100, 1000))
    with admission.enter(Load(1, 900)), pytest.raises(Overloaded), admission.enter(Load(1, 101)):
        pass


def test_what_a_failing_call_held_is_free_again() -> None:
    admission = Admission(Load(1, 1))

    def fail() -> None:
        with admission.enter(Load(1, 1)):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert admission.held == NOTHING


async def test_who_waits_enters_in_turn() -> None:
    admission = Admission(Load(1, 100))
    entered: list[int] = []
    ends = [asyncio.Event() for _ in range(3)]

    async def stream(number: int) -> None:
        async with admission.wait_and_enter(Load(1, 1)):
            entered.append(number)
            await ends[number].wait()

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(stream(number))
            await turns()
        assert entered == [0]
        for end in ends:
            end.set()
            await turns()
    assert entered == [0, 1, 2]
    assert admission.held == NOTHING


async def test_streams_leave_room_for_calls_that_cannot_wait() -> None:
    admission = Admission(Load(4, 400), waiting_share=0.5)
    await admission.acquire(Load(1, 1))
    await admission.acquire(Load(1, 1))
    third = asyncio.create_task(admission.acquire(Load(1, 1)))
    await turns()
    assert not third.done()

    with admission.enter(Load(2, 2)):
        assert admission.held.items == 4
    admission.release(Load(1, 1))
    await third


async def test_a_stream_is_never_shut_out_by_calls_that_cannot_wait() -> None:
    admission = Admission(Load(4, 400), waiting_share=0.5)
    with admission.enter(Load(4, 4)):
        await asyncio.wait_for(admission.acquire(Load(1, 1)), timeout=1)
        second = asyncio.create_task(admission.acquire(Load(1, 1)))
        await turns()
        assert not second.done()
    await second


async def test_one_larger_than_the_whole_capacity_goes_alone() -> None:
    admission = Admission(Load(10, 100))
    await admission.acquire(Load(1, 50))
    large = asyncio.create_task(admission.acquire(Load(1, 500)))
    small = asyncio.create_task(admission.acquire(Load(1, 1)))
    await turns()
    assert not large.done()
    assert not small.done()

    admission.release(Load(1, 50))
    await large
    assert not small.done()
    admission.release(Load(1, 500))
    await small


async def test_one_who_leaves_the_line_lets_the_next_pass_and_holds_nothing() -> None:
    admission = Admission(Load(10, 100))
    await admission.acquire(Load(1, 60))
    large = asyncio.create_task(admission.acquire(Load(1, 60)))
    small = asyncio.create_task(admission.acquire(Load(1, 40)))
    await turns()
    large.cancel()
    await small
    assert large.cancelled()
    assert admission.held == Load(2, 100)


async def test_one_cancelled_in_the_moment_it_is_admitted_holds_nothing() -> None:
    admission = Admission(Load(1, 100))
    await admission.acquire(Load(1, 1))
    waiting = asyncio.create_task(admission.acquire(Load(1, 1)))
    await turns()
    admission.release(Load(1, 1))  # its turn has come, but it has not run since
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert admission.held == NOTHING


async def test_one_with_little_to_bring_does_not_wait_behind_one_with_much() -> None:
    admission = Admission(Load(100, 100))
    await admission.acquire(Load(1, 100), "large")
    entered: list[str] = []

    async def enter(caller: str) -> None:
        async with admission.wait_and_enter(Load(1, 100), caller):
            entered.append(caller)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for caller in ["large"] * 10 + ["small"]:
            group.create_task(enter(caller))
        await turns()
        admission.release(Load(1, 100))
    assert entered == ["large", "small"] + ["large"] * 9
    assert admission.held == NOTHING
