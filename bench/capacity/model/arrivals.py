"""When requests come, in seconds after the start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time with one rate."""

    rate: float
    """Requests a second."""
    seconds: float


def constant(rate: float, seconds: float) -> Iterator[float]:
    """At fixed distances, as the load generator sends them."""
    for number in range(max(1, round(rate * seconds))):
        yield number / rate


def poisson(stretches: Sequence[Stretch], random: Random) -> Iterator[float]:
    """As from many people who know nothing of one another, at one rate after the other."""
    begins = 0.0
    for stretch in stretches:
        moment = begins
        while (moment := moment + random.expovariate(stretch.rate)) < begins + stretch.seconds:
            yield moment
        begins += stretch.seconds
