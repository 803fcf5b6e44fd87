"""How fast the machine was from moment to moment of a run: by what a search cost then.

Others use the machine too, and what they leave differs by a tenth from one half minute to the next
and by more from second to second. The model is not asked to foresee that; it is told, and says how
long callers wait then.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.capacity.usage import FloatArray, Usage
from bench.load.runs import Run

EVERY_SECONDS = 0.5
"""Between two figures: some tens of searches, whose photos differ by less than the machine does."""
_SLOWEST, _FASTEST = 0.4, 2.0
"""Beyond it a figure is chance: hardly a search ended in that half second."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A run, and what the services used meanwhile."""

    run: Run
    usage: Usage


def costs(watched: Watched, rest: float) -> FloatArray:
    """Seconds of CPU that a search took, for each EVERY_SECONDS of the run; nan where none ended.

    rest: what is taken a second at any rate.
    """
    observed = watched.run.observed
    count = max(1, int(watched.run.plan.seconds / EVERY_SECONDS))
    edges = np.arange(count + 1, dtype=np.float64) * EVERY_SECONDS
    ended, _ = np.histogram(observed.done, edges)
    used = watched.usage.between(edges + observed.started) - rest * EVERY_SECONDS
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(ended > 0, used / ended, np.nan)


def speeds(watched: Sequence[Watched], rest: float) -> list[list[float]]:
    """For each run, how fast the machine was in each EVERY_SECONDS; 1: the mean of all runs.

    The mean is taken as means of times are: work takes as long as at a speed of 1.
    """
    each = [costs(one, rest) for one in watched]
    mean = statistics.fmean(np.concatenate([one[np.isfinite(one)] for one in each]))
    return [
        np.clip(np.nan_to_num(mean / one, nan=1.0), _SLOWEST, _FASTEST).tolist() for one in each
    ]
