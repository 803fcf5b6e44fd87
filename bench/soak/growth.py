"""Whether memory stays flat, between one start of a process and its end. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.soak.supervised import Life

_SHARE_OF_ENDS = 0.1
_FEWEST_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process, in its longest life."""

    seconds: float
    """Looked at, warm-up left out."""
    fraction: float
    """By how much it grew: 0.02 is two percent."""


def growth(lives: Sequence[Life], warm_up_seconds: float) -> Growth | None:
    """From the median of the first tenth of the samples, once warm, to that of the last tenth.

    None: no life was long enough.
    """
    longest: list[tuple[float, int]] = []
    for life in lives:
        warm = life.samples[0][0] + warm_up_seconds if life.samples else 0.0
        later = [sample for sample in life.samples if sample[0] >= warm]
        longest = max(longest, later, key=len)
    if len(longest) < _FEWEST_SAMPLES:
        return None
    ends = max(1, round(len(longest) * _SHARE_OF_ENDS))
    first = statistics.median(size for _, size in longest[:ends])
    last = statistics.median(size for _, size in longest[-ends:])
    return Growth(longest[-1][0] - longest[0][0], last / first - 1)


def highest(lives: Sequence[Life]) -> int:
    """Bytes, over all lives; 0 if it was never looked at."""
    return max((size for life in lives for _, size in life.samples), default=0)
