"""Resident memory of a process over what it has done."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

_SHARE_OF_ENDS = 0.1
"""Of the samples that count, how many make up the level at either end."""
MEGABYTE = 1e6


@dataclass(slots=True)
class MemorySeries:
    """Samples in the order they were taken."""

    name: str
    samples: list[tuple[int, int]] = field(default_factory=list)
    """(requests done, bytes)."""

    def add(self, done: int, resident_bytes: int) -> None:
        self.samples.append((done, resident_bytes))

    @property
    def highest_bytes(self) -> int:
        return max(resident for _, resident in self.samples)

    def growth(self, after: int) -> float:
        """By what fraction memory grew after so many requests.

        From the median of the first tenth of the later samples to the median of the last tenth: one
        sample may have met a large photo. Raises ValueError if there are none.
        """
        later = [resident for done, resident in self.samples if done >= after]
        if not later:
            raise ValueError(f"{self.name} was not sampled after {after} requests")
        count = max(1, round(len(later) * _SHARE_OF_ENDS))
        return statistics.median(later[-count:]) / statistics.median(later[:count]) - 1

    def points(self) -> list[tuple[float, float]]:
        """(requests done, megabytes)."""
        return [(float(done), resident / MEGABYTE) for done, resident in self.samples]
