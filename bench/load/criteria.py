"""What it means that a rate holds, and the search for the highest that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load.highest_rate import RateSearch, Step
from bench.load.observed import OK, Observed
from bench.load.runs import Run


@dataclass(frozen=True, slots=True)
class Criterion:
    """Every answer 200, and percentiles no longer than this, from when each request was due."""

    name: str
    p95_seconds: float | None
    p99_seconds: float

    def holds(self, observed: Observed) -> bool:
        """Whether a run was as good."""
        latencies = observed.latencies()
        is_quick = self.p95_seconds is None or latencies.p95 <= self.p95_seconds
        return observed.share(OK) == 1.0 and is_quick and latencies.p99 <= self.p99_seconds


REFERENCE = Criterion("p95 ≤ 50 ms, p99 ≤ 100 ms", 0.050, 0.100)
"""Of the reference load test (P3)."""
CAPACITY = Criterion("p99 ≤ 200 ms", None, 0.200)
"""What the highest rate is searched for with (P3)."""


def find_highest(
    run_at: Callable[[float, float], Run],
    criterion: Criterion,
    search: RateSearch,
    runs: list[Run],
    *,
    seconds: float,
    attempts: int,
) -> float | None:
    """The highest rate that holds; None: none does.

    run_at: makes a run at a rate, for so many seconds. runs: made already, at any rate; those made
    here are added. seconds: of each. attempts: a rate that does not hold is tried so often in all:
    on a machine that does other things too, a second of those would end the search far below what
    the service takes.
    """
    while (rate := _next(criterion, search, runs, attempts)) is not None:
        runs.append(run_at(rate, seconds))
    return search.highest(_steps(criterion, runs))


def _next(
    criterion: Criterion, search: RateSearch, runs: Sequence[Run], attempts: int
) -> float | None:
    steps = _steps(criterion, runs)
    lowest_failed = min((step.rate for step in steps if not step.holds), default=None)
    if lowest_failed is not None:
        tried = sum(run.plan.rate == lowest_failed for run in runs)
        if tried < attempts:
            return lowest_failed
    return search.next_rate(steps)


def _steps(criterion: Criterion, runs: Sequence[Run]) -> list[Step]:
    held: dict[float, bool] = {}
    for run in runs:
        held[run.plan.rate] = held.get(run.plan.rate, False) or criterion.holds(run.observed)
    return [Step(rate, holds) for rate, holds in held.items()]
