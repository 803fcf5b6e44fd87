"""Rounds of several sides in turns: what the machine does besides hits all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.kit.result import JSON


@dataclass(frozen=True, slots=True)
class Rounds:
    """What each side gave in each round, such as images a second."""

    values: dict[str, list[float]]

    def median(self, side: str) -> float:
        return statistics.median(self.values[side])

    def ratio(self, side: str, other: str) -> float:
        """Median of one side over the median of the other."""
        return self.median(side) / self.median(other)

    def to_json(self) -> dict[str, JSON]:
        """Every value, for the details of a result."""
        return {side: list(each) for side, each in self.values.items()}

    def rows(self) -> list[list[str | float | int]]:
        """Side, median, lowest, highest: rows of a table."""
        return [
            [side, *(round(value, 3) for value in (self.median(side), min(each), max(each)))]
            for side, each in self.values.items()
        ]


ROUND_COLUMNS = ["side", "median", "lowest", "highest"]
"""Of `Rounds.rows`."""


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1) -> Rounds:
    """Run every side once a round; the order turns each round, so none is always first.

    warm_up: rounds before those that count.
    """
    values: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(-warm_up, rounds):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for side in order:
            value = sides[side]()
            if number >= 0:
                values[side].append(value)
    return Rounds(values)
