"""The learning rate, a pure function of the step: so a run can be stopped and resumed anywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Linear from nothing to the peak, then half a cosine down to the floor."""

    steps: int
    """Of the whole training, however many runs it takes."""
    peak: float
    warmup: int
    floor: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.steps:
            raise ValueError("a schedule is longer than its warm-up")

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0 on; beyond the end it is the floor."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.floor + (self.peak - self.floor) * (1 + math.cos(math.pi * done)) / 2
