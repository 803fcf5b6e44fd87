"""The next rate to try on the way to the highest one that holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A rate that was tried."""

    rate: float
    holds: bool


@dataclass(frozen=True, slots=True)
class RateSearch:
    """Steps up until a rate does not hold, then halves the gap."""

    first: float
    """Where to begin, requests a second."""
    growth: float = 1.25
    resolution: float = 0.04
    """Done when the gap is at most this fraction of the rate that holds."""
    lowest: float = 1.0
    """Where nothing holds down to here, nothing does."""

    def next_rate(self, steps: Sequence[Step]) -> float | None:
        """What to try after these steps, in any order; None: the answer is known.

        A rate is noisy: where one holds above another that did not, the lower failure bounds.
        """
        failed = min((step.rate for step in steps if not step.holds), default=None)
        held = self.highest(steps)
        if failed is None:
            return self.first if held is None else held * self.growth
        if held is None:
            lower = failed / self.growth
            return lower if lower >= self.lowest else None
        if failed - held <= self.resolution * held:
            return None
        return min(held * self.growth, (held + failed) / 2)

    def highest(self, steps: Sequence[Step]) -> float | None:
        """The highest rate that held below every one that did not; None: none did."""
        failed = min((step.rate for step in steps if not step.holds), default=float("inf"))
        return max((step.rate for step in steps if step.holds and step.rate < failed), default=None)
