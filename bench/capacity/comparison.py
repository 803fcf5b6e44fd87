"""Predicted against measured: percentiles at several rates, and the highest rate that holds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.capacity.one_machine import OneMachine
from bench.kit.figures import Figure
from bench.kit.latency import Latencies
from bench.kit.result import Cell, Plot, Table
from bench.load.criteria import Criterion, find_highest
from bench.load.highest_rate import RateSearch
from bench.load.runs import Run

MAX_DIFFERENCE = 0.20
"""Of the measured value."""
_NAMES = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds at one rate."""

    rate: float
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, rate: float, latencies: Latencies) -> Percentiles:
        """Of all requests of a run."""
        return cls(rate, *(1000 * seconds for seconds in _three(latencies)))

    @classmethod
    def median(cls, rounds: Sequence[Percentiles]) -> Percentiles:
        """Of several runs at one rate. Raises ValueError if there are none."""
        if not rounds:
            raise ValueError("no runs, so no median")
        middles = (statistics.median(getattr(one, name) for one in rounds) for name in _NAMES)
        return cls(rounds[0].rate, *middles)

    @property
    def values(self) -> tuple[float, float, float]:
        return (self.p50, self.p95, self.p99)


@dataclass(frozen=True, slots=True)
class Highest:
    """The highest rate that holds by a criterion, requests a second."""

    criterion: Criterion
    measured: float
    predicted: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides, at the same rates in the same order."""

    measured: list[Percentiles]
    predicted: list[Percentiles]
    highest: list[Highest]

    def differences(self) -> dict[str, float]:
        """The largest of each figure over all rates, as a fraction of what was measured."""
        worst = dict.fromkeys(_NAMES, 0.0)
        for real, model in zip(self.measured, self.predicted, strict=True):
            for name, was, said in zip(_NAMES, real.values, model.values, strict=True):
                worst[name] = max(worst[name], abs(said - was) / was)
        rates = {
            f"highest rate with {one.criterion.name}": abs(one.predicted - one.measured)
            / one.measured
            for one in self.highest
        }
        return worst | rates

    @property
    def holds(self) -> bool:
        """Whether nothing differs by more than MAX_DIFFERENCE."""
        return all(difference <= MAX_DIFFERENCE for difference in self.differences().values())

    def figures(self) -> list[Figure]:
        """A figure for each kind of difference."""
        return [
            Figure(
                "C1",
                f"{name}: largest difference between model and measurement",
                difference,
                "of it",
                MAX_DIFFERENCE,
                "lower",
            )
            for name, difference in self.differences().items()
        ]

    def tables(self) -> list[Table]:
        """Rate by rate, and the highest rates."""
        rows: list[list[Cell]] = []
        for real, model in zip(self.measured, self.predicted, strict=True):
            cells: list[Cell] = [round(real.rate, 1)]
            for was, said in zip(real.values, model.values, strict=True):
                cells += [round(was, 1), round(said, 1), f"{(said - was) / was:+.0%}"]
            rows.append(cells)
        columns = ["searches/s"]
        for name in _NAMES:
            columns += [f"{name} ms", "model", ""]
        rates: list[list[Cell]] = [
            [
                one.criterion.name,
                round(one.measured, 1),
                round(one.predicted, 1),
                f"{(one.predicted - one.measured) / one.measured:+.0%}",
            ]
            for one in self.highest
        ]
        return [
            Table("Measured, and what the model says", columns, rows),
            Table("The highest rate", ["with", "measured/s", "model/s", ""], rates),
        ]

    def plot(self) -> Plot:
        """Percentiles against the rate, both sides."""
        series = {}
        for name, place in (("p50", 0), ("p99", 2)):
            for side, points in (("measured", self.measured), ("model", self.predicted)):
                series[f"{name}, {side}"] = [(one.rate, one.values[place]) for one in points]
        return Plot(
            "The model against the machine it was fed from", "line", "searches a second", "ms",
            series,
        )  # fmt: skip


def predicted(model: OneMachine, rates: Sequence[float], seconds: float) -> list[Percentiles]:
    """What the model says of each rate."""
    runs = [model.run(rate, seconds) for rate in rates]
    return [Percentiles.of(run.plan.rate, run.observed.latencies()) for run in runs]


def predicted_highest(
    model: OneMachine, criterion: Criterion, seconds: float, resolution: float
) -> float:
    """The model's highest rate, found as the load test finds the real one; 0: none holds."""
    first = 0.6 * model.profile.cores / model.profile.cpu_seconds
    runs: list[Run] = []
    search = RateSearch(first, resolution=resolution, lowest=first / 4)
    found = find_highest(model.run, criterion, search, runs, seconds=seconds, attempts=1)
    return found or 0.0


def _three(latencies: Latencies) -> tuple[float, float, float]:
    return (latencies.p50, latencies.p95, latencies.p99)
