"""CPU time by thread, to the nanosecond, from /proc."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_BUSY = 0.1
"""A thread that takes less than this share of the busiest one does not work on photos."""


@dataclass(frozen=True, slots=True)
class ThreadTimes:
    """Seconds of CPU time that each thread of some processes has had, by process and thread."""

    seconds: dict[tuple[int, int], float]
    slices: dict[tuple[int, int], int]
    """How often each has had a core."""

    @classmethod
    def of(cls, processes: Iterable[int]) -> Self:
        """Now. Raises OSError where a process has ended."""
        found: dict[tuple[int, int], tuple[float, int]] = {}
        for process in processes:
            for task in (_PROC / str(process) / "task").iterdir():
                with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends now
                    found[process, int(task.name)] = _account(task)
        return cls(
            {thread: seconds for thread, (seconds, _) in found.items()},
            {thread: slices for thread, (_, slices) in found.items()},
        )

    def since(self, before: ThreadTimes) -> ThreadTimes:
        """What was added; threads that have come since count from nothing."""
        return ThreadTimes(
            {
                thread: seconds - before.seconds.get(thread, 0.0)
                for thread, seconds in self.seconds.items()
            },
            {
                thread: slices - before.slices.get(thread, 0)
                for thread, slices in self.slices.items()
            },
        )

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @property
    def burst(self) -> float:
        """Seconds that a moment of CPU time is part of, in the mean: of one turn on a core."""
        turns = [
            seconds * seconds / self.slices[thread]
            for thread, seconds in self.seconds.items()
            if self.slices[thread]
        ]
        return sum(turns) / self.total if self.total else 0.0

    def of_photos(self) -> float:
        """Of the threads that work on photos: not the first of a process, which has its event loop,
        nor those that hardly do anything, as gRPC's own."""
        others = {
            (process, thread): seconds
            for (process, thread), seconds in self.seconds.items()
            if process != thread
        }
        busiest = max(others.values(), default=0.0)
        return sum(seconds for seconds in others.values() if seconds >= _BUSY * busiest)


def _account(task: Path) -> tuple[float, int]:
    # schedstat: nanoseconds on a core, nanoseconds waiting for one, slices (stat has but ticks).
    ran, _, slices = (task / "schedstat").read_text("ascii").split()
    return int(ran) / 1e9, int(slices)
