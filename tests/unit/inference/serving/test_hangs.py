"""A run that does not end: its items fail, its thread is replaced, and at last the process ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from inference.batching import Batcher
from inference.calls import Call
from inference.errors import ModelFault
from inference.fair_queue import BatchPolicy
from inference.hangs import LOOKS, PATIENCE_WITH_MAKING, Hangs, Patience, Point
from tests.unit.inference.serving.test_batching import CALL, Recorder

RUN_SECONDS = 0.3
POISON = 13


class Stuck:
    """Runners that hang at one item until the test lets go."""

    def __init__(self) -> None:
        self.made = 0
        self.ended: list[str] = []
        self._release = threading.Event()

    def make(self) -> Stuck:
        self.made += 1
        return self

    def __call__(self, items: Sequence[int], _padded_size: int) -> Sequence[int]:
        if POISON in items:
            assert self._release.wait(30), "the test never let go"
            self.ended.append(threading.current_thread().name)
        return [2 * item for item in items]

    def let_go(self) -> None:
        self._release.set()


def make(stuck: Stuck, recorder: Recorder, hangs: Hangs, **policy: int) -> Batcher[int, int]:
    return Batcher(
        "stuck",
        stuck.make,
        policy=BatchPolicy(max_batch=policy.get("max_batch", 1)),
        observer=recorder,
        max_run_seconds=RUN_SECONDS,
        hangs=hangs,
    )


async def test_a_run_that_hangs_fails_its_items_and_the_next_ones_are_done() -> None:
    stuck, recorder, hangs = Stuck(), Recorder(), Hangs()
    async with asyncio.timeout(20), make(stuck, recorder, hangs) as batcher:
        assert await batcher.submit(1, call=CALL) == 2
        hanging = asyncio.create_task(batcher.submit(POISON, call=CALL))
        behind = asyncio.create_task(batcher.submit(3, call=Call("another")))
        with pytest.raises(ModelFault):
            await hanging
        assert await behind == 6
        assert (stuck.made, recorder.hangs, hangs.count) == (2, 1, 1)
        stuck.let_go()
    assert not hangs.were_too_many


async def test_a_thread_that_comes_back_ends_and_changes_nothing() -> None:
    stuck, recorder, hangs = Stuck(), Recorder(), Hangs()
    async with asyncio.timeout(20), make(stuck, recorder, hangs) as batcher:
        with pytest.raises(ModelFault):
            await batcher.submit(POISON, call=CALL)
        stuck.let_go()
        while hangs.count:  # noqa: ASYNC110 - the thread owes tests no event
            await asyncio.sleep(0)
        assert await batcher.submit(4, call=CALL) == 8
    assert stuck.ended == ["stuck-0"]


async def test_too_many_that_hang_at_once_end_the_process() -> None:
    ending = asyncio.Event()
    stuck, recorder, hangs = Stuck(), Recorder(), Hangs(most=2, on_too_many=ending.set)
    async with asyncio.timeout(20), make(stuck, recorder, hangs) as batcher:
        for _ in range(2):
            assert not ending.is_set()
            with pytest.raises(ModelFault):
                await batcher.submit(POISON, call=CALL)
        assert ending.is_set()
        # Until it has ended, others are still answered.
        assert await batcher.submit(5, call=CALL) == 10
        stuck.let_go()
    assert hangs.were_too_many


async def test_neighbours_in_the_batch_that_hangs_fail_too_and_are_not_tried_again() -> None:
    stuck, recorder, hangs = Stuck(), Recorder(), Hangs()
    async with asyncio.timeout(20), make(stuck, recorder, hangs, max_batch=4) as batcher:
        together = [asyncio.create_task(batcher.submit(item, call=CALL)) for item in (1, POISON, 2)]
        outcomes = await asyncio.gather(*together, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ModelFault] * 3
        assert recorder.hangs == 1
        stuck.let_go()


def test_who_moves_on_is_never_taken_to_hang() -> None:
    patience = Patience()
    assert not any(patience.is_over(Point(number, is_making=False)) for number in range(100))
    assert not any(patience.is_over(None) for _ in range(100))


@pytest.mark.parametrize(
    ("is_making", "looks"), [(False, LOOKS), (True, LOOKS * PATIENCE_WITH_MAKING)]
)
def test_patience_ends_after_so_many_looks_at_the_same_point(is_making: bool, looks: int) -> None:
    patience = Patience()
    point = Point(1, is_making)
    assert [patience.is_over(point) for _ in range(looks + 1)] == [False] * looks + [True]
