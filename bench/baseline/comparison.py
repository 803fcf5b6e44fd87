"""Rates and waits of several sides, asked in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import grpc

from bench.baseline.sides import Side
from bench.kit.analyze import ItemFailed
from bench.kit.copies import Copies
from bench.kit.cpu import CpuMeter
from bench.kit.http_calls import RequestFailed
from bench.kit.loops import Load, closed_loop, for_seconds, open_loop
from bench.kit.rounds import Rounds, alternate

CALLERS = 8
SHARE_OF_BEST = 0.8
"""Of the rate a side can hold, what it is offered when its waits are measured."""
REFUSALS = (RequestFailed, ItemFailed, grpc.aio.AioRpcError)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each side is asked."""

    rounds: int
    round_seconds: float
    open_seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found, by side."""

    rates: Rounds
    """Answers a second with 8 callers."""
    cpu: dict[str, CpuMeter]
    """Of these rounds."""
    waits: dict[str, Load]
    """At 80 % of its own rate, from the moment each request was due."""

    def better(self, sides: Sequence[str]) -> str:
        """The one with the highest rate."""
        return max(sides, key=self.rates.median)


def compare(
    sides: Sequence[Side], photos: Sequence[bytes], pace: Pace, runner: asyncio.Runner
) -> Comparison:
    """Rounds of all sides in turns, then each at its own rate. A refusal ends a round."""
    copies = Copies(photos)
    meters = {side.name: CpuMeter(side.services) for side in sides}

    async def fully(side: Side) -> Load:
        async with side.asking() as ask:
            return await closed_loop(ask, for_seconds(copies, pace.round_seconds), CALLERS)

    async def steadily(side: Side, per_second: float) -> Load:
        async with side.asking() as ask:
            return await open_loop(ask, copies, per_second, pace.open_seconds, REFUSALS)

    def round_of(side: Side) -> float:
        return meters[side.name].during(lambda: runner.run(fully(side))).per_second

    rates = alternate({side.name: partial(round_of, side) for side in sides}, pace.rounds)
    waits = {
        side.name: runner.run(steadily(side, rates.median(side.name) * SHARE_OF_BEST))
        for side in sides
    }
    return Comparison(rates, meters, waits)
