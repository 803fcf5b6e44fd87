"""The same load on gRPC `Analyze`, past the edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.kit.figures import Figure
from bench.kit.result import Plot, Table
from bench.load import tables
from bench.load.criteria import CAPACITY, find_highest
from bench.load.observed import OK
from bench.load.runs import Generator, Run
from bench.load.search_load import rate_search
from bench.load.sizes import Sizes

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AnalyzeLoad:
    """What was found."""

    hold: Run
    steps: list[Run]
    """Every rate that was tried; none if the highest was not searched for."""
    highest: float | None
    """Requests a second; None: no rate holds, or it was not searched for."""

    @property
    def name(self) -> str:
        return f"gRPC Analyze at {self.hold.plan.rate:.0f}/s"

    def figures(self) -> list[Figure]:
        """Reported beside P3; the targets are of `/search/`."""
        observed = self.hold.observed
        figures = [
            Figure("", f"{self.name}: answers OK", observed.share(OK), "of all"),
            Figure("", f"{self.name}: p99", observed.latencies().p99 * 1000, "ms", better="lower"),
        ]
        if self.steps:
            name = f"gRPC Analyze: highest rate with {CAPACITY.name}"
            figures.append(Figure("", name, self.highest or 0.0, "/s"))
        return figures

    def tables(self) -> list[Table]:
        """Every rate that was tried."""
        title = "gRPC Analyze: every rate that was tried"
        return [tables.steps_table(title, self.steps)] if self.steps else []

    def plots(self) -> list[Plot]:
        """How waits are spread."""
        rate = f"{self.hold.plan.rate:.0f}/s"
        return [tables.cdf_plot("gRPC Analyze: how long callers wait", {rate: self.hold})]


def load_analyze(generator: Generator, rate: float, sizes: Sizes, say: Say) -> AnalyzeLoad:
    """At this rate; then, in the long form, the highest one that holds."""
    say(f"gRPC Analyze at {rate:.0f}/s")
    hold = generator.run(rate, sizes.analyze_seconds)
    if not sizes.searches_analyze:
        return AnalyzeLoad(hold, [], None)
    say("the highest rate of gRPC Analyze")
    steps: list[Run] = []
    highest = find_highest(
        generator.run,
        CAPACITY,
        rate_search(hold, sizes),
        steps,
        seconds=sizes.step_seconds,
        attempts=sizes.attempts,
    )
    return AnalyzeLoad(hold, steps, highest)
