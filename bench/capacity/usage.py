"""What processes use of the CPU from moment to moment, while they are measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.capacity.thread_times import ThreadTimes

FloatArray = NDArray[np.float64]
_EVERY_SECONDS = 0.1


@dataclass(slots=True)
class Usage:
    """Samples, oldest first."""

    moments: list[float] = field(default_factory=list)
    """time.perf_counter()."""
    seconds: list[float] = field(default_factory=list)
    """CPU time of all processes until then."""

    def between(self, edges: FloatArray) -> FloatArray:
        """Seconds of CPU time between each of these moments (n + 1,) and the next: (n,)."""
        return np.diff(np.interp(edges, self.moments, self.seconds))


@contextmanager
def sampled(processes: Sequence[int]) -> Iterator[Usage]:
    """Samples of these processes while the block runs."""
    usage, ended = Usage(), threading.Event()

    def sample() -> None:
        while not ended.wait(_EVERY_SECONDS):
            with suppress(OSError):  # a process that ends
                usage.seconds.append(ThreadTimes.of(processes).total)
                usage.moments.append(time.perf_counter())

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        ended.set()
        thread.join()
