"""The load on `/search/`: quiet, as far as it holds, at the reference rate, and beyond."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.kit.figures import Figure
from bench.kit.result import Form, Plot, Table
from bench.load import tables
from bench.load.budget import StageTimes, budget_table
from bench.load.criteria import CAPACITY, REFERENCE, Criterion, find_highest
from bench.load.highest_rate import RateSearch
from bench.load.observed import OK
from bench.load.overload import Overload
from bench.load.runs import Generator, Run
from bench.load.scrape import Scrape
from bench.load.sizes import Sizes

_REFERENCE_RATE = 100.0
_CAPACITY_TARGET = 150.0
_SHORT_FORM_SHARE = 0.7
"""Of the highest rate: what the short form holds on a machine that does not take 100/s."""
_FIRST_SHARE = 0.6
"""Of what the processor would do if a request cost the same at any rate: where a search begins."""

Say = Callable[[str], None]


class SearchesFail(Exception):
    """Searches are not answered 200 even while nothing waits."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A run, and where the time of its searches went."""

    run: Run
    stages: StageTimes


@dataclass(frozen=True, slots=True)
class SearchLoad:
    """What was found."""

    quiet: Staged
    """At a rate at which nothing waits."""
    steps: list[Run]
    """Every rate that was tried."""
    highest: float | None
    """Requests a second; None: no rate holds."""
    held: float | None
    """By the percentiles of the reference."""
    hold: Staged
    """At the reference rate."""
    overload: Overload

    @property
    def runs(self) -> dict[str, Run]:
        """Those that a reader wants to see whole."""
        kept = (self.quiet.run, self.hold.run, self.overload.run)
        return {f"/search/ at {run.plan.rate:.0f}/s": run for run in kept}

    def figures(self) -> list[Figure]:
        """Of P3 and P4."""
        rate, observed = f"{self.hold.run.plan.rate:.0f}/s", self.hold.run.observed
        latencies = observed.latencies()
        right = self.quiet.run.observed.right_share()
        return [
            Figure("P3", f"answers 200 at {rate}", observed.share(OK), "of all", 1.0),
            Figure("P3", f"p95 at {rate}", latencies.p95 * 1000, "ms", 50.0, "lower"),
            Figure("P3", f"p99 at {rate}", latencies.p99 * 1000, "ms", 100.0, "lower"),
            Figure(
                "P3",
                f"highest rate with {CAPACITY.name}",
                self.highest or 0.0,
                "/s",
                _CAPACITY_TARGET,
            ),
            Figure("P3", f"highest rate with {REFERENCE.name}", self.held or 0.0, "/s"),
            Figure("P3", "first match shows the person", right, "of all", 1.0),
            *self.overload.figures(),
        ]

    def tables(self) -> list[Table]:
        """Where the time goes, and every rate that was tried."""
        columns = [
            (f"{staged.run.plan.rate:.0f}/s", staged.stages) for staged in (self.quiet, self.hold)
        ]
        return [
            budget_table(columns),
            tables.steps_table("/search/: every rate that was tried", self.steps),
        ]

    def plots(self) -> list[Plot]:
        """Over time, over rates, and how waits are spread."""
        hold, beyond = self.hold.run, self.overload.run
        rate = f"{hold.plan.rate:.0f}/s"
        return [
            tables.over_time_plot(f"/search/ at {rate} over time", hold.observed),
            tables.cdf_plot(
                "/search/: how long callers wait",
                {f"{run.plan.rate:.0f}/s": run for run in (self.quiet.run, hold)},
            ),
            tables.steps_plot("/search/: latency against the offered rate", self.steps),
            tables.throughput_plot(
                "/search/: answers against the offered rate", [*self.steps, beyond]
            ),
            tables.over_time_plot(
                f"/search/ at {beyond.plan.rate:.0f}/s over time", beyond.observed
            ),
        ]


def load_search(
    generator: Generator,
    selfies: int,
    metrics: Sequence[str],
    form: Form,
    sizes: Sizes,
    say: Say,
) -> SearchLoad:
    """Run all of it. selfies: how many there are. metrics: URLs of all processes.

    Raises SearchesFail, GeneratorFailed.
    """

    def staged(rate: float, seconds: float) -> Staged:
        before = Scrape.of(*metrics)
        run = generator.run(rate, seconds)
        return Staged(run, StageTimes.of(Scrape.of(*metrics).since(before)))

    say("every selfie once")
    generator.run(sizes.quiet_rate, sizes.warm_seconds)
    quiet = staged(sizes.quiet_rate, selfies / sizes.quiet_rate)
    if quiet.run.observed.share(OK) < 1.0:
        raise SearchesFail(f"answers by status: {quiet.run.observed.statuses()}")

    say("the highest rate that holds")
    steps: list[Run] = []
    search = rate_search(quiet.run, sizes)
    highest, held = (
        find_highest(
            generator.run,
            criterion,
            search,
            steps,
            seconds=sizes.step_seconds,
            attempts=sizes.attempts,
        )
        for criterion in (CAPACITY, REFERENCE)
    )

    rate = _REFERENCE_RATE
    if form is Form.SHORT:
        rate = min(rate, _SHORT_FORM_SHARE * (highest or sizes.quiet_rate))
    say(f"{rate:.0f}/s for {sizes.hold_seconds:g} s")
    hold = staged(rate, sizes.hold_seconds)

    taken, criterion = _taken(highest, held) or (sizes.quiet_rate, CAPACITY)
    say(f"overload: {2 * taken:.0f}/s")
    before = Scrape.of(*metrics)
    beyond = generator.run(2 * taken, sizes.overload_seconds)
    overload = Overload(beyond, taken, criterion.name, Scrape.of(*metrics).since(before))
    return SearchLoad(quiet, steps, highest, held, hold, overload)


def _taken(highest: float | None, held: float | None) -> tuple[float, Criterion] | None:
    """The rate that is doubled for an overload, and by what it holds; None: none does."""
    if held is not None and (highest is None or 2 * held >= highest):
        return held, REFERENCE
    # On a machine that does other things too, twice the reference's rate may be no overload.
    return None if highest is None else (highest, CAPACITY)


def rate_search(run: Run, sizes: Sizes) -> RateSearch:
    """A search that begins below the highest rate, by the CPU that one request of this run took."""
    milliseconds = sum(run.cpu_per_request().values())
    first = _FIRST_SHARE * len(os.sched_getaffinity(0)) * 1000 / milliseconds
    # Where a quarter of it does not hold, something else is wrong than the rate.
    return RateSearch(first, resolution=sizes.resolution, lowest=first / 4)
