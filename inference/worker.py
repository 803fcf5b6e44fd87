"""One runner on one thread: takes a batch, tells the event loop what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, Protocol, TypeAlias, TypeVar

import structlog

from inference.errors import ItemError, ModelFault
from inference.hangs import Point

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

Outcome: TypeAlias = Out | ItemError

STOP_SECONDS = 5.0
"""How long the end waits for a thread, which frees a session in a tenth of a second."""

_log = structlog.get_logger("inference.worker")


class Runner(Protocol[In_contra, Out_co]):
    """One pass over a batch, on one thread. Blocks.

    padded_size: rows that the session should see, at least as many as there are inputs. Returns one
    output an input, in order; an ItemError in place of an output fails that item alone. A runner
    that raises is thrown away and made again.
    """

    def __call__(
        self, inputs: Sequence[In_contra], padded_size: int, /
    ) -> Sequence[Out_co | ItemError]: ...


class Worker(Generic[In, Out]):
    """One runner and its thread. Everything public is called on the event loop."""

    def __init__(
        self,
        name: str,
        make_runner: Callable[[], Runner[In, Out]],
        *,
        padded_size: Callable[[int], int],
        on_fault: Callable[[], None],
    ) -> None:
        """make_runner and on_fault are called on the thread."""
        self.name = name
        self._make_runner = make_runner
        self._padded_size = padded_size
        self._on_fault = on_fault
        self._runner: Runner[In, Out] | None = None
        self._jobs: SimpleQueue[Callable[[], Callable[[], None]] | None] = SimpleQueue()
        self._has_ended = asyncio.Event()
        self._numbers = itertools.count()
        self._point: Point | None = None
        self._on_return: Callable[[], None] | None = None

    @property
    def point(self) -> Point | None:
        """Where the thread is now; None: at no item."""
        return self._point  # written by the thread, whole

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take batches; what comes of them is told on this loop."""
        # A daemon: a session that hangs must not keep the process from ending.
        threading.Thread(target=self._work, args=(loop,), name=self.name, daemon=True).start()

    async def stop(self) -> None:
        """End the thread once it has done what it was given and has freed its runner.

        A thread that was started only. One that hangs is left behind.
        """
        self._jobs.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._has_ended.wait()

    def leave_behind(self, on_return: Callable[[], None]) -> None:
        """Expect nothing of it any more: it hangs.

        What it was given is never told. Should the thread come back, it frees its runner and ends,
        and `on_return` is called on the loop.
        """
        self._on_return = on_return
        self._jobs.put(None)

    def run(self, items: Sequence[In], finished: Callable[[Sequence[Outcome[Out]]], None]) -> None:
        """Run a batch; `finished` gets one outcome an item, later, on the loop."""

        def job() -> Callable[[], None]:
            outcomes = self._outcomes(items)
            return lambda: None if self._is_left else finished(outcomes)

        self._jobs.put(job)

    async def warm_up(self, batches: Sequence[Sequence[In]]) -> None:
        """Make the runner and run it on each batch. Raises what it raises."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def job() -> Callable[[], None]:
            try:
                for batch in batches or [()]:
                    self._pass_over(batch)
            except Exception as error:  # noqa: BLE001 - raised again where it is awaited
                fault = error
                return lambda: None if done.done() else done.set_exception(fault)
            return lambda: None if done.done() else done.set_result(None)

        self._jobs.put(job)
        await done

    @property
    def _is_left(self) -> bool:
        return self._on_return is not None

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            _tell(loop, job())
        # Freed on a thread while the interpreter ends, a session of OpenVINO aborts the process.
        self._runner = None
        _tell(loop, self._on_return or self._has_ended.set)

    def _outcomes(self, items: Sequence[In]) -> Sequence[Outcome[Out]]:
        """One outcome an item; never raises."""
        together = self._attempt(items)
        if not isinstance(together, Exception):
            return together
        # One item may have poisoned the run: each one gets a second chance alone.
        singly: list[Outcome[Out]] = []
        for item in items:
            if self._is_left:
                break  # nobody is told
            alone = self._attempt([item])
            if isinstance(alone, ItemError):
                singly.append(alone)
            elif isinstance(alone, Exception):
                singly.append(ModelFault("the model failed at this item"))
            else:
                singly.extend(alone)
        return singly

    def _attempt(self, items: Sequence[In]) -> Sequence[Outcome[Out]] | Exception:
        try:
            return self._pass_over(items)
        except Exception as fault:  # noqa: BLE001 - a runtime raises what it likes
            self._point = None
            self._runner = None
            self._on_fault()
            _log.error("runner_failed", worker=self.name, items=len(items), exc_info=fault)
            return fault

    def _pass_over(self, items: Sequence[In]) -> Sequence[Outcome[Out]]:
        if self._runner is None:
            self._point = Point(next(self._numbers), is_making=True)
            self._runner = self._make_runner()
        if not items:
            return ()
        self._point = Point(next(self._numbers), is_making=False)
        outputs = self._runner(items, self._padded_size(len(items)))
        self._point = None
        if len(outputs) != len(items):
            raise RuntimeError(f"{len(outputs)} outputs for {len(items)} items")
        return outputs


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    # When the loop is closed nobody waits any more.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
