"""One lever, pulled and not, in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice

from bench.kit.analyze import Policy, analyzing
from bench.kit.latency import Latencies
from bench.kit.loops import Load, closed_loop
from bench.kit.processes import Service, start_inference
from bench.kit.rounds import Rounds, alternate
from bench.kit.world import World
from bench.levers.levers import Lever

MANY = 16
SIDES = ("before", "after")


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is measured."""

    rounds: int
    images: int
    """Of each side in a round, by many callers."""
    images_alone: int
    """By one caller, for the latency."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found, by side."""

    rates: Rounds
    """Images a second of 16 callers."""
    latencies: dict[str, Latencies]
    """Of one caller."""
    cpu_ms: dict[str, float]
    """CPU of the server for one image."""

    @property
    def gain(self) -> float:
        """Throughput after over before."""
        return self.rates.ratio("after", "before")


@dataclass(slots=True)
class _Side:
    service: Service
    target: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    images: int = 0


def compare(world: World, lever: Lever, photos: Sequence[bytes], amount: Amount) -> Compared:
    """Both servers side by side; whoever is not asked costs nothing. Raises StartFailed."""
    with ExitStack() as running:
        services = [
            running.enter_context(start_inference(world, **settings))
            for settings in (lever.before, lever.after)
        ]
        sides = {
            name: _Side(service, service.target)
            for name, service in zip(SIDES, services, strict=True)
        }
        if lever.is_over_tcp_before:
            sides["before"].target = services[0].address
        rounds = {name: partial(_round, side, photos, amount) for name, side in sides.items()}
        rates = alternate(rounds, amount.rounds)
        return Compared(
            rates,
            {name: Latencies.of(side.seconds) for name, side in sides.items()},
            {name: side.cpu_seconds / side.images * 1000 for name, side in sides.items()},
        )


def _round(side: _Side, photos: Sequence[bytes], amount: Amount) -> float:
    before = side.service.cpu_seconds()
    many = _load(side.target, photos, amount.images, MANY)
    side.cpu_seconds += side.service.cpu_seconds() - before
    side.images += amount.images
    side.seconds += _load(side.target, photos, amount.images_alone, 1).latencies.seconds
    return many.per_second


def _load(target: str, photos: Sequence[bytes], count: int, callers: int) -> Load:
    async def ask() -> Load:
        async with analyzing(target, Policy.SEARCH) as analyze:
            return await closed_loop(analyze, islice(cycle(photos), count), callers)

    return asyncio.run(ask())
