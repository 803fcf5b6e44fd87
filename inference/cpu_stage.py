"""Plain functions on a few threads, callers in turn: decoding, scaling and aligning pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from inference.batching import Batcher, BatchObserver
from inference.calls import Call
from inference.errors import ItemError
from inference.fair_queue import BatchPolicy
from inference.hangs import MAX_RUN_SECONDS, Hangs

T = TypeVar("T")


class CpuStage:
    """A bounded number of threads. An async context manager, as the batcher beneath it."""

    def __init__(
        self,
        threads: int,
        *,
        observer: BatchObserver | None = None,
        max_run_seconds: float = MAX_RUN_SECONDS,
        hangs: Hangs | None = None,
    ) -> None:
        """max_run_seconds and hangs: as of `Batcher`."""
        self._batcher: Batcher[Callable[[], None], None] = Batcher(
            "pixels",
            lambda: _run_jobs,
            workers=threads,
            policy=BatchPolicy(max_batch=1),
            observer=observer,
            max_run_seconds=max_run_seconds,
            hangs=hangs,
        )

    async def __aenter__(self) -> Self:
        await self._batcher.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._batcher.__aexit__(kind, error, traceback)

    async def run(self, job: Callable[[], T], call: Call) -> T:
        """What `job` returns. Raises its ItemError, and what Batcher.submit raises."""
        results: list[T] = []
        await self._batcher.submit(lambda: results.append(job()), call=call)
        return results[0]


def _run_jobs(jobs: Sequence[Callable[[], None]], _padded_size: int) -> Sequence[ItemError | None]:
    return [_outcome(job) for job in jobs]


def _outcome(job: Callable[[], None]) -> ItemError | None:
    try:
        job()
    except ItemError as error:
        return error
    return None
