"""Latencies of many requests: every value is kept, so percentiles are exact."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_CDF_POINTS = 200


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long each of some requests took."""

    seconds: tuple[float, ...]
    """Ascending; at least one."""

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latencies:
        """From values in any order. Raises ValueError if there are none."""
        values = tuple(sorted(seconds))
        if not values:
            raise ValueError("no request ended, so there is no latency")
        return cls(values)

    def __len__(self) -> int:
        return len(self.seconds)

    def percentile(self, percent: float) -> float:
        """The smallest value that `percent` (0 to 100) of all do not exceed (nearest rank)."""
        # Rounded first: 99.9 % of 1,000 is 999.0000000000001 in floats, and no rank 1,000.
        rank = math.ceil(round(percent / 100 * len(self.seconds), 9))
        return self.seconds[min(max(rank, 1), len(self.seconds)) - 1]

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds)

    @property
    def p50(self) -> float:
        return self.percentile(50)

    @property
    def p95(self) -> float:
        return self.percentile(95)

    @property
    def p99(self) -> float:
        return self.percentile(99)

    @property
    def longest(self) -> float:
        return self.seconds[-1]

    def cdf(self) -> list[tuple[float, float]]:
        """(milliseconds, fraction of requests that took no longer), at some 200 points."""
        count = len(self.seconds)
        step = max(1, count // _CDF_POINTS)
        places = [*range(0, count - 1, step), count - 1]
        return [(self.seconds[place] * 1000, (place + 1) / count) for place in places]

    def row(self) -> list[float]:
        """p50, p95, p99 and the longest, in milliseconds: cells of a table."""
        values = (self.p50, self.p95, self.p99, self.longest)
        return [round(value * 1000, 2) for value in values]


LATENCY_COLUMNS = ["p50 ms", "p95 ms", "p99 ms", "max ms"]
"""Of `Latencies.row`."""
