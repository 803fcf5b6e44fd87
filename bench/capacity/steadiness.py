"""How steady a machine is: others use it too, and what they take differs from second to second."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

EVERY_SECONDS = 0.1
"""Between two figures."""
_PAUSE_SECONDS = 0.004
_SIDE, _FLOATS, _STEPS = 192, 1 << 20, 8_000
WARM_UP = 50


def speeds(seconds: float, work: Callable[[], object] | None = None) -> list[float]:
    """Speed of a core over so long, one figure every EVERY_SECONDS; work takes as long as at a
    speed of 1 in the mean. To be called while nothing else is asked of the machine.

    work: what is timed again and again; None: arithmetic, memory and Python, about a millisecond.
    """
    piece = work or _some_of_each()
    for _ in range(WARM_UP):
        piece()
    begun = time.perf_counter()
    took: list[list[float]] = []
    while (now := time.perf_counter()) < begun + seconds:
        piece()
        place = int((now - begun) / EVERY_SECONDS)
        took += [[] for _ in range(place + 1 - len(took))]
        took[place].append(time.perf_counter() - now)
        time.sleep(_PAUSE_SECONDS)
    means = [statistics.mean(each) for each in took if each]
    return [statistics.mean(means) / mean for mean in means]


def _some_of_each() -> Callable[[], object]:
    matrix = np.ones((_SIDE, _SIDE), np.float32)
    values, sums = np.ones(_FLOATS, np.float32), np.empty(_FLOATS, np.float32)

    def piece() -> int:
        for _ in range(4):
            np.matmul(matrix, matrix)
        np.add(values, values, out=sums)
        return sum(range(_STEPS))

    return piece
