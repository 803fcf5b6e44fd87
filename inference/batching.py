"""Batches across calls: work items in, one run of a session for many of them, results to each.

The event loop owns the queue and hands a batch to a worker whenever one is free; each worker owns
one runner on a thread of its own. Nothing waits idly for a batch to fill: the next batch is what
queued up while the sessions worked. There is no task and no executor between a submit and its run:
they cost more than a small network does.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import structlog

from inference.calls import Call
from inference.errors import DeadlinePassed, Draining, ItemError, ModelFault
from inference.fair_queue import BatchPolicy, FairQueue
from inference.hangs import LOOKS, MAX_RUN_SECONDS, Hangs, Patience
from inference.tracing import BatchRun, TraceRun
from inference.worker import Outcome, Runner, Worker

In = TypeVar("In")
Out = TypeVar("Out")

_log = structlog.get_logger("inference.batching")


class BatchObserver(Protocol):
    """What a batcher tells of itself."""

    def queue_length(self, items: int) -> None: ...

    def ran(self, size: int, padded_size: int, waits: Sequence[float], seconds: float) -> None:
        """A batch of `size` items, padded to `padded_size`, whose items waited `waits` seconds."""
        ...

    def dropped(self, reason: str) -> None:
        """An item left the queue unserved: "deadline" or "caller_gone"."""
        ...

    def faulted(self) -> None:
        """A runner raised and was thrown away."""
        ...

    def hung(self) -> None:
        """A run did not end; its thread was left behind and replaced."""
        ...


class Unobserved:
    """For batchers that nobody watches."""

    def queue_length(self, items: int) -> None: ...

    def ran(self, size: int, padded_size: int, waits: Sequence[float], seconds: float) -> None: ...

    def dropped(self, reason: str) -> None: ...

    def faulted(self) -> None: ...

    def hung(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Work(Generic[In, Out]):
    item: In
    call: Call
    result: asyncio.Future[Out]
    queued_at: float

    def is_wanted(self, now: float) -> bool:
        return not self.result.done() and not self.call.is_expired(now)


@dataclass(slots=True)
class _Run(Generic[In, Out]):
    batch: Sequence[_Work[In, Out]]
    patience: Patience


class Batcher(Generic[In, Out]):
    """Shares the runners of one model and device between all calls.

    An async context manager: on leaving it, what is queued is finished, then the workers stop.

    make_runner: called on the worker's own thread, once a worker and again after a fault.
    max_run_seconds: a run that takes longer is taken to hang (inference.hangs). hangs: where it is
    counted. trace_run: told of each run; None: nobody is.
    """

    def __init__(
        self,
        name: str,
        make_runner: Callable[[], Runner[In, Out]],
        *,
        workers: int = 1,
        policy: BatchPolicy | None = None,
        observer: BatchObserver | None = None,
        max_run_seconds: float = MAX_RUN_SECONDS,
        hangs: Hangs | None = None,
        trace_run: TraceRun | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy or BatchPolicy()
        self._observer = observer or Unobserved()
        self._clock = clock
        self._queue: FairQueue[_Work[In, Out]] = FairQueue(self._policy, _Work.is_wanted)
        self._name = name
        self._make_runner = make_runner
        self._look_seconds = max_run_seconds / LOOKS
        self._hangs = hangs or Hangs()
        self._trace_run = trace_run
        self._numbers = itertools.count()
        self._workers = [self._new_worker() for _ in range(workers)]
        self._runs: dict[Worker[In, Out], _Run[In, Out]] = {}
        self._look_timer: asyncio.TimerHandle | None = None
        # The one that ended last comes first: its caches are warm.
        self._idle = list(self._workers)
        self._is_dispatch_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._is_empty = asyncio.Event()

    def __len__(self) -> int:
        """Items that wait; those in a session are not among them."""
        return len(self._queue)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for worker in self._workers:
            worker.start(loop)
        self._look_timer = loop.call_later(self._look_seconds, self._look)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_closing = True
        self._dispatch()
        await self._is_empty.wait()
        if self._look_timer is not None:
            self._look_timer.cancel()
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    async def warm_up(self, inputs: Sequence[In]) -> None:
        """Make every runner and run it at each input, at every batch size that will occur.

        Raises what a runner raises: at the start that is a fault of the model or the device.
        """
        batches = [[item] * size for item in inputs for size in self._policy.warm_sizes()]
        await asyncio.gather(*(worker.warm_up(batches) for worker in self._workers))

    async def submit(self, item: In, *, call: Call, shape: Hashable = None) -> Out:
        """The runner's output for `item`. Items of one shape may share a run.

        Raises:
            DeadlinePassed: the call's deadline passed first, wherever the item was.
            ItemError: the runner's verdict on this item; ModelFault if the runner failed at it.
            Draining: the batcher is closing.
        """
        if self._is_closing:
            raise Draining("the server is stopping")
        now = self._clock()
        call.check(now)
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Out] = loop.create_future()
        self._queue.put(_Work(item, call, result, now), shape=shape, caller=call.caller, now=now)
        if not self._is_dispatch_due:
            # Not at once: what else is submitted before the loop goes round shares the run.
            self._is_dispatch_due = True
            loop.call_soon(self._dispatch)
        try:
            # Also answers the caller while a session hangs.
            async with asyncio.timeout(call.remaining_seconds(now)):
                return await result
        except TimeoutError:
            raise DeadlinePassed("the deadline passed before the work was done") from None

    def _dispatch(self) -> None:
        """Hand out batches until the queue or the idle workers are used up."""
        self._is_dispatch_due = False
        now = self._clock()
        while self._idle:
            drawn = self._queue.draw(now)
            for work in drawn.unwanted:
                self._drop(work, now)
            if not drawn.batch:
                break
            self._start(self._idle.pop(), drawn.batch, now)
        self._observer.queue_length(len(self._queue))
        if self._idle:
            self._wait_for_company(now)
        if self._is_closing and not self._queue and len(self._idle) == len(self._workers):
            self._is_empty.set()

    def _wait_for_company(self, now: float) -> None:
        """Come back when the first batch that waits for more has waited long enough."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ready_at = self._queue.ready_at()
        if ready_at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, ready_at - now), self._dispatch)

    def _drop(self, work: _Work[In, Out], now: float) -> None:
        # A cancelled call cancels its submit(), and that the future; so does the timeout there.
        self._observer.dropped("deadline" if work.call.is_expired(now) else "caller_gone")
        if not work.result.done():
            work.result.set_exception(DeadlinePassed("the deadline passed in the queue"))

    def _start(
        self, worker: Worker[In, Out], batch: Sequence[_Work[In, Out]], started_at: float
    ) -> None:
        def finished(outcomes: Sequence[Outcome[Out]]) -> None:
            waits = [started_at - work.queued_at for work in batch]
            padded_size = self._policy.padded_size(len(batch))
            seconds = self._clock() - started_at
            self._observer.ran(len(batch), padded_size, waits, seconds)
            for work, outcome in zip(batch, outcomes, strict=True):
                if work.result.done():
                    continue
                if isinstance(outcome, ItemError):
                    work.result.set_exception(outcome)
                else:
                    work.result.set_result(outcome)
            del self._runs[worker]
            self._idle.append(worker)
            self._dispatch()
            if self._trace_run is not None:
                # Last, and still before those who wait for the results go on.
                failed = sum(isinstance(outcome, ItemError) for outcome in outcomes)
                traces = [work.call.trace for work in batch]
                self._trace_run(BatchRun(self._name, traces, waits, padded_size, seconds, failed))

        self._runs[worker] = _Run(batch, Patience())
        worker.run([work.item for work in batch], finished)

    def _look(self) -> None:
        """See whether a worker hangs; comes back by itself."""
        for worker, run in list(self._runs.items()):
            if run.patience.is_over(worker.point):
                self._leave_behind(worker, run)
        loop = asyncio.get_running_loop()
        self._look_timer = loop.call_later(self._look_seconds, self._look)

    def _leave_behind(self, worker: Worker[In, Out], run: _Run[In, Out]) -> None:
        _log.error("runner_hangs", worker=worker.name, items=len(run.batch))
        self._observer.hung()
        self._hangs.left()
        worker.leave_behind(self._hangs.returned)
        del self._runs[worker]
        self._workers.remove(worker)
        successor = self._new_worker()
        successor.start(asyncio.get_running_loop())
        self._workers.append(successor)
        for work in run.batch:
            if not work.result.done():
                work.result.set_exception(ModelFault("the model did not answer"))
        self._idle.append(successor)
        self._dispatch()

    def _new_worker(self) -> Worker[In, Out]:
        return Worker(
            f"{self._name}-{next(self._numbers)}",
            self._make_runner,
            padded_size=self._policy.padded_size,
            on_fault=self._observer.faulted,
        )
