"""A measured figure and the target it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number a benchmark is run for."""

    id: str
    """Of the target in the list of targets, such as "P1"; several figures may share it."""
    name: str
    value: float
    unit: str
    """Such as "ratio", "images/s" or "ms"."""
    target: float | None = None
    """None: reported, not judged."""
    better: Better = "higher"
    is_guarded: bool = False
    """CI fails when it is worse than half its target. For ratios: times are the machine's own."""

    @property
    def passes(self) -> bool | None:
        """Whether the target is met; None: there is none."""
        return None if self.target is None else self._reaches(self.target)

    @property
    def is_half(self) -> bool:
        """Whether at least half the target is reached: what CI asks of guarded figures.

        Half of a lower-is-better target is twice its value. True without a target.
        """
        if self.target is None:
            return True
        return self._reaches(self.target / 2 if self.better == "higher" else self.target * 2)

    def _reaches(self, bar: float) -> bool:
        # A value that is not a number reaches nothing: both comparisons are false.
        return self.value >= bar if self.better == "higher" else self.value <= bar
