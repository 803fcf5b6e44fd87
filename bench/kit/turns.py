"""Loads of several sides in turns: their rates, their latencies and whose CPU time they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bench.kit.cpu import CPU_COLUMNS, CpuMeter
from bench.kit.latency import LATENCY_COLUMNS, Latencies
from bench.kit.loops import Load
from bench.kit.processes import Service
from bench.kit.result import Cell, Table
from bench.kit.rounds import ROUND_COLUMNS, Rounds, alternate


@dataclass(frozen=True, slots=True)
class Side:
    """One of those that take turns."""

    name: str
    services: Sequence[Service]
    """Those that do its work."""
    load: Callable[[], Load]
    """One round of it."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What was found, by side."""

    rates: Rounds
    """Answers a second."""
    cpu: dict[str, CpuMeter]
    latencies: dict[str, Latencies]

    def tables(self, heading: str) -> list[Table]:
        """Rates, latencies and CPU time. heading: what the load was, such as "8 callers"."""
        latencies: list[list[Cell]] = [
            [side, len(each), *each.row()] for side, each in self.latencies.items()
        ]
        cpu: list[list[Cell]] = [[side, *meter.row()] for side, meter in self.cpu.items()]
        return [
            Table(f"Answers a second, {heading}", ROUND_COLUMNS, self.rates.rows()),
            Table(f"Latency, {heading}", ["side", "requests", *LATENCY_COLUMNS], latencies),
            Table(f"CPU time, {heading}", ["side", *CPU_COLUMNS], cpu),
        ]


def take_turns(sides: Sequence[Side], rounds: int, *, warm_up: int = 1) -> Turns:
    """Rounds of all sides as `alternate` orders them."""
    meters = {side.name: CpuMeter(side.services) for side in sides}
    seconds: dict[str, list[float]] = {side.name: [] for side in sides}

    def round_of(side: Side) -> float:
        load = meters[side.name].during(side.load)
        seconds[side.name] += load.latencies.seconds
        return load.per_second

    rates = alternate(
        {side.name: partial(round_of, side) for side in sides}, rounds, warm_up=warm_up
    )
    return Turns(rates, meters, {name: Latencies.of(each) for name, each in seconds.items()})
