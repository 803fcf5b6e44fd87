"""The batcher with a session that does what the test says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from inference.batching import Batcher
from inference.calls import Call
from inference.errors import DeadlinePassed, Draining, InvalidCrop, ItemError, ModelFault
from inference.fair_queue import BatchPolicy
from tests.unit.inference.serving.sessions import GatedRunner

CALL = Call("caller")


class Recorder:
    """A BatchObserver that keeps what it is told."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.reasons: list[str] = []
        self.faults = 0
        self.hangs = 0

    def queue_length(self, items: int) -> None: ...

    def ran(self, size: int, padded_size: int, waits: Sequence[float], seconds: float) -> None:
        assert len(waits) == size
        assert seconds >= 0
        self.sizes.append((size, padded_size))

    def dropped(self, reason: str) -> None:
        self.reasons.append(reason)

    def faulted(self) -> None:
        self.faults += 1

    def hung(self) -> None:
        self.hangs += 1


async def started(runner: GatedRunner) -> None:
    """Return when a run has begun."""
    assert await asyncio.to_thread(runner.started.acquire, timeout=30)


async def queued(batcher: Batcher[int, float], items: int) -> None:
    """Return when so many items wait."""
    async with asyncio.timeout(30):
        while len(batcher) != items:  # noqa: ASYNC110 - the batcher owes tests no event
            await asyncio.sleep(0)


def make(
    runner: GatedRunner, recorder: Recorder | None = None, **policy: int
) -> Batcher[int, float]:
    return Batcher(
        "doubler",
        runner.make,
        policy=BatchPolicy(max_batch=policy.get("max_batch", 8)),
        observer=recorder,
    )


async def test_what_queues_up_while_the_session_works_is_the_next_batch() -> None:
    runner, recorder = GatedRunner(), Recorder()
    async with make(runner, recorder) as batcher, asyncio.TaskGroup() as callers:
        first = callers.create_task(batcher.submit(1, call=Call("a")))
        await started(runner)
        rest = [callers.create_task(batcher.submit(n, call=Call(str(n)))) for n in (2, 3, 4)]
        await queued(batcher, 3)
        runner.open()

    assert runner.batches == [[1], [2, 3, 4]]
    assert [first.result(), *(task.result() for task in rest)] == [2.0, 4.0, 6.0, 8.0]
    assert recorder.sizes == [(1, 1), (3, 3)]


async def test_items_of_two_shapes_never_share_a_run() -> None:
    runner = GatedRunner()
    async with make(runner) as batcher, asyncio.TaskGroup() as callers:
        callers.create_task(batcher.submit(1, call=CALL, shape=320))
        await started(runner)
        for n in (2, 3, 4, 5):
            callers.create_task(batcher.submit(n, call=CALL, shape=640 if n % 2 else 320))
        await queued(batcher, 4)
        runner.open()

    assert runner.batches == [[1], [2, 4], [3, 5]]


async def test_a_batch_is_padded_to_its_bucket() -> None:
    runner, recorder = GatedRunner(), Recorder()
    batcher: Batcher[int, float] = Batcher(
        "doubler",
        runner.make,
        policy=BatchPolicy(max_batch=4, buckets=(1, 2, 4)),
        observer=recorder,
    )
    async with batcher, asyncio.TaskGroup() as callers:
        callers.create_task(batcher.submit(1, call=CALL))
        await started(runner)
        rest = [callers.create_task(batcher.submit(n, call=CALL)) for n in (2, 3, 4)]
        await queued(batcher, 3)
        runner.open()

    assert runner.padded_sizes == [1, 4]
    assert [task.result() for task in rest] == [4.0, 6.0, 8.0]
    assert recorder.sizes == [(1, 1), (3, 4)]


async def test_a_poisoned_item_does_not_fail_its_neighbours() -> None:
    runner, recorder = GatedRunner(poison=frozenset({3})), Recorder()
    async with make(runner, recorder) as batcher:
        first = asyncio.create_task(batcher.submit(1, call=CALL))
        await started(runner)
        rest = [asyncio.create_task(batcher.submit(n, call=CALL)) for n in (2, 3, 4)]
        await queued(batcher, 3)
        runner.open()
        outcomes = await asyncio.gather(first, *rest, return_exceptions=True)

    assert [outcomes[0], outcomes[1], outcomes[3]] == [2.0, 4.0, 8.0]
    assert isinstance(outcomes[2], ModelFault)
    assert runner.batches == [[1], [2, 3, 4], [2], [3], [4]]
    assert recorder.faults == 2
    # Once at first, once after the poisoned batch, once after the poisoned item alone.
    assert runner.made == 3


async def test_a_runner_that_raised_is_made_again_before_the_next_item() -> None:
    runner = GatedRunner(poison=frozenset({13}), is_gated=False)
    async with make(runner) as batcher:
        with pytest.raises(ModelFault):
            await batcher.submit(13, call=CALL)
        assert await batcher.submit(4, call=CALL) == 8.0
    assert runner.made == 3


async def test_a_session_that_cannot_be_made_again_fails_its_items_and_not_the_batcher() -> None:
    working = GatedRunner(is_gated=False)
    attempts = 0

    def make_at_the_third_attempt() -> GatedRunner:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise RuntimeError("no device")
        return working

    async with Batcher[int, float]("doubler", make_at_the_third_attempt) as batcher:
        with pytest.raises(ModelFault):
            await batcher.submit(1, call=CALL)
        assert await batcher.submit(2, call=CALL) == 4.0


async def test_the_runners_own_verdict_on_an_item_reaches_its_caller() -> None:
    def refuse_odd(inputs: Sequence[int], padded_size: int) -> Sequence[int | ItemError]:
        return [InvalidCrop("odd") if value % 2 else value for value in inputs]

    async with Batcher[int, int]("refuser", lambda: refuse_odd) as batcher:
        with pytest.raises(InvalidCrop, match="odd"):
            await batcher.submit(1, call=CALL)
        assert await batcher.submit(2, call=CALL) == 2


async def test_cancelled_work_never_reaches_a_session() -> None:
    runner, recorder = GatedRunner(), Recorder()
    async with make(runner, recorder) as batcher:
        first = asyncio.create_task(batcher.submit(1, call=CALL))
        await started(runner)
        gone = asyncio.create_task(batcher.submit(2, call=CALL))
        stays = asyncio.create_task(batcher.submit(3, call=CALL))
        await queued(batcher, 2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        runner.open()
        assert list(await asyncio.gather(first, stays)) == [2.0, 6.0]

    assert runner.batches == [[1], [3]]
    assert recorder.reasons == ["caller_gone"]


async def test_expired_work_is_answered_in_time_and_never_reaches_a_session() -> None:
    runner, recorder = GatedRunner(), Recorder()
    async with make(runner, recorder) as batcher:
        first = asyncio.create_task(batcher.submit(1, call=CALL))
        await started(runner)
        with pytest.raises(DeadlinePassed):
            # The session hangs meanwhile: the deadline alone answers.
            await batcher.submit(2, call=Call.begin("hurried", 0.02))
        runner.open()
        assert await first == 2.0

    assert runner.batches == [[1]]
    assert recorder.reasons == ["deadline"]


async def test_a_deadline_already_passed_does_not_even_queue() -> None:
    runner = GatedRunner(is_gated=False)
    async with make(runner) as batcher:
        with pytest.raises(DeadlinePassed):
            await batcher.submit(1, call=Call("late", deadline=time.monotonic() - 1))
    assert runner.batches == []


async def test_each_worker_has_a_runner_of_its_own_and_they_work_at_once() -> None:
    runner = GatedRunner()
    batcher: Batcher[int, float] = Batcher("doubler", runner.make, workers=2)
    async with batcher, asyncio.TaskGroup() as callers:
        tasks = [callers.create_task(batcher.submit(n, call=CALL)) for n in (1, 2)]
        await started(runner)
        await started(runner)  # the second begins while the first is still held
        runner.open()

    assert runner.made == 2
    assert [task.result() for task in tasks] == [2.0, 4.0]


async def test_closing_finishes_what_is_queued_and_takes_no_more() -> None:
    runner = GatedRunner()
    batcher = make(runner)
    async with batcher:
        first = asyncio.create_task(batcher.submit(1, call=CALL))
        await started(runner)
        waiting = [first, *(asyncio.create_task(batcher.submit(n, call=CALL)) for n in (2, 3))]
        await queued(batcher, 2)
        asyncio.get_running_loop().call_soon(runner.open)  # after closing has begun
    assert await asyncio.gather(*waiting) == [2.0, 4.0, 6.0]
    with pytest.raises(Draining):
        await batcher.submit(4, call=CALL)


async def test_a_closed_batcher_has_freed_its_runners_each_on_its_own_thread() -> None:
    freed: list[str] = []

    class Mortal:
        def __call__(self, items: Sequence[str], _padded_size: int) -> list[str]:
            return [item.upper() for item in items]

        def __del__(self) -> None:
            freed.append(threading.current_thread().name)

    async with Batcher[str, str]("mortal", Mortal, workers=2) as batcher:
        await batcher.warm_up(["a"])
        assert not freed

    assert sorted(freed) == ["mortal-0", "mortal-1"]


async def test_warming_up_runs_every_worker_at_every_size_that_will_occur() -> None:
    runner = GatedRunner(is_gated=False)
    batcher: Batcher[int, float] = Batcher(
        "doubler", runner.make, workers=2, policy=BatchPolicy(max_batch=3, buckets=(1, 2, 4))
    )
    async with batcher:
        await batcher.warm_up([5])
    assert runner.made == 2
    assert sorted(map(len, runner.batches)) == [1, 1, 2, 2, 4, 4]


async def test_a_fault_while_warming_up_is_the_starters_business() -> None:
    runner = GatedRunner(poison=frozenset({5}), is_gated=False)
    async with make(runner) as batcher:
        with pytest.raises(RuntimeError, match="fell over"):
            await batcher.warm_up([5])
