"""When each request of a constant rate is due."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests at a constant rate, due at fixed times however slowly the last ones are answered.

    A generator that waits for answers would send less the slower the service is, and would leave
    out just the requests that would have waited longest (coordinated omission).
    """

    rate: float
    """Requests a second, > 0."""
    seconds: float
    """How long requests come, > 0."""

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.seconds > 0):
            raise ValueError(f"{self.rate} requests a second for {self.seconds} s are none")

    @property
    def count(self) -> int:
        """Requests in all, at least one."""
        return max(1, round(self.rate * self.seconds))

    def due(self, number: int) -> float:
        """Seconds after the start at which this request is due; the first is number 0."""
        return number / self.rate

    def due_by(self, elapsed_seconds: float) -> int:
        """How many requests are due so long after the start."""
        if elapsed_seconds < 0:
            return 0
        # A timer that fires on the dot must find its request due, whatever the last bit says.
        return min(self.count, math.floor(elapsed_seconds * self.rate + 1e-6) + 1)
