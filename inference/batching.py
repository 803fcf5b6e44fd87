"""Batches across calls: work items in, one run of a session for many of them, results to each.

One task owns the queue and hands a batch to a worker whenever one is free; each worker owns one
runner on a thread of its own. Nothing waits idly for a batch to fill: the next batch is what queued
up while the sessions worked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import structlog

from inference.calls import Call
from inference.errors import DeadlinePassed, Draining, ItemError, ModelFault
from inference.fair_queue import BatchPolicy, FairQueue

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

_log = structlog.get_logger("inference.batching")


class Runner(Protocol[In_contra, Out_co]):
    """One pass over a batch, on one thread. Blocks.

    padded_size: rows that the session should see, at least as many as there are inputs. Returns one
    output an input, in order; an ItemError in place of an output fails that item alone. A runner
    that raises is thrown away and made again.
    """

    def __call__(
        self, inputs: Sequence[In_contra], padded_size: int, /
    ) -> Sequence[Out_co | ItemError]: ...


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


class Unobserved:
    """For batchers that nobody watches."""

    def queue_length(self, items: int) -> None: ...

    def ran(self, size: int, padded_size: int, waits: Sequence[float], seconds: float) -> None: ...

    def dropped(self, reason: str) -> None: ...

    def faulted(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Work(Generic[In, Out]):
    item: In
    call: Call
    result: asyncio.Future[Out]
    queued_at: float

    def is_wanted(self, now: float) -> bool:
        return not self.result.done() and not self.call.is_expired(now)


class Batcher(Generic[In, Out]):
    """Shares the runners of one model and device between all calls.

    An async context manager: on leaving it, what is queued is finished, then the workers stop.

    make_runner: called on the worker's own thread, once a worker and again after a fault.
    """

    def __init__(
        self,
        name: str,
        make_runner: Callable[[], Runner[In, Out]],
        *,
        workers: int = 1,
        policy: BatchPolicy | None = None,
        observer: BatchObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._policy = policy or BatchPolicy()
        self._observer = observer or Unobserved()
        self._clock = clock
        self._queue: FairQueue[_Work[In, Out]] = FairQueue(self._policy, _Work.is_wanted)
        self._changed = asyncio.Event()
        self._is_closing = False
        self._workers = [
            _Worker(f"{name}-{n}", make_runner, self._policy, self._observer)
            for n in range(workers)
        ]
        self._idle: asyncio.Queue[_Worker[In, Out]] = asyncio.Queue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._running: set[asyncio.Task[None]] = set()
        self._owner: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Items that wait; those in a session are not among them."""
        return len(self._queue)

    async def __aenter__(self) -> Self:
        self._owner = asyncio.create_task(self._own_queue(), name=f"{self._name}-owner")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_closing = True
        self._changed.set()
        if self._owner is not None:
            await self._owner
        await asyncio.gather(*self._running)
        for worker in self._workers:
            worker.stop()

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
        result: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        work = _Work(item, call, result, now)
        self._queue.put(work, shape=shape, caller=call.caller, now=now)
        self._observer.queue_length(len(self._queue))
        self._changed.set()
        try:
            # Also answers the caller while a session hangs.
            async with asyncio.timeout(call.remaining_seconds(now)):
                return await result
        except TimeoutError:
            raise DeadlinePassed("the deadline passed before the work was done") from None

    async def _own_queue(self) -> None:
        while True:
            worker = await self._idle.get()
            batch = await self._next_batch()
            if not batch:
                return
            run = asyncio.create_task(self._run(worker, batch))
            self._running.add(run)
            run.add_done_callback(self._running.discard)

    async def _next_batch(self) -> Sequence[_Work[In, Out]]:
        """What goes into the session now free; empty: the batcher closes and nothing is left."""
        while True:
            self._changed.clear()
            now = self._clock()
            drawn = self._queue.draw(now)
            for work in drawn.unwanted:
                self._drop(work, now)
            self._observer.queue_length(len(self._queue))
            ready_at = self._queue.ready_at()
            if drawn.batch or (self._is_closing and ready_at is None):
                return drawn.batch
            delay = None if ready_at is None else max(0.0, ready_at - now)
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _drop(self, work: _Work[In, Out], now: float) -> None:
        # A cancelled call cancels its submit(), and that the future; so does the timeout there.
        self._observer.dropped("deadline" if work.call.is_expired(now) else "caller_gone")
        if not work.result.done():
            work.result.set_exception(DeadlinePassed("the deadline passed in the queue"))

    async def _run(self, worker: _Worker[In, Out], batch: Sequence[_Work[In, Out]]) -> None:
        started_at = self._clock()
        outcomes = await worker.run([work.item for work in batch])
        self._observer.ran(
            len(batch),
            self._policy.padded_size(len(batch)),
            [started_at - work.queued_at for work in batch],
            self._clock() - started_at,
        )
        for work, outcome in zip(batch, outcomes, strict=True):
            if work.result.done():
                continue
            if isinstance(outcome, ItemError):
                work.result.set_exception(outcome)
            else:
                work.result.set_result(outcome)
        self._idle.put_nowait(worker)


class _Worker(Generic[In, Out]):
    """One runner on one thread."""

    def __init__(
        self,
        name: str,
        make_runner: Callable[[], Runner[In, Out]],
        policy: BatchPolicy,
        observer: BatchObserver,
    ) -> None:
        self._name = name
        self._make_runner = make_runner
        self._policy = policy
        self._observer = observer
        self._runner: Runner[In, Out] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def stop(self) -> None:
        self._thread.shutdown(wait=False)

    async def warm_up(self, batches: Sequence[Sequence[In]]) -> None:
        def run_all() -> None:
            for batch in batches or [()]:
                self._pass_over(batch)

        await asyncio.get_running_loop().run_in_executor(self._thread, run_all)

    async def run(self, items: Sequence[In]) -> Sequence[Out | ItemError]:
        """One outcome an item; never raises."""
        together = await self._attempt(items)
        if not isinstance(together, Exception):
            return together
        # One item may have poisoned the run: each one gets a second chance alone.
        singly: list[Out | ItemError] = []
        for item in items:
            alone = await self._attempt([item])
            if isinstance(alone, ItemError):
                singly.append(alone)
            elif isinstance(alone, Exception):
                singly.append(ModelFault("the model failed at this item"))
            else:
                singly.extend(alone)
        return singly

    async def _attempt(self, items: Sequence[In]) -> Sequence[Out | ItemError] | Exception:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._pass_over, items)
        except Exception as fault:  # noqa: BLE001 - a runtime raises what it likes
            self._runner = None
            self._observer.faulted()
            _log.error("runner_failed", worker=self._name, items=len(items), exc_info=fault)
            return fault

    def _pass_over(self, items: Sequence[In]) -> Sequence[Out | ItemError]:
        if self._runner is None:
            self._runner = self._make_runner()
        if not items:
            return ()
        outputs = self._runner(items, self._policy.padded_size(len(items)))
        if len(outputs) != len(items):
            raise RuntimeError(f"{len(outputs)} outputs for {len(items)} items")
        return outputs
