"""Rates and waits of several contenders, asked in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from bench.baseline.contenders import Contender
from bench.kit.analyze import ItemFailed
from bench.kit.copies import Copies
from bench.kit.http_calls import RequestFailed
from bench.kit.loops import Load, closed_loop, for_seconds, open_loop
from bench.kit.turns import Side, Turns, take_turns

CALLERS = 8
SHARE_OF_BEST = 0.8
"""Of the rate it can hold, what it is offered when its waits are measured."""
REFUSALS = (RequestFailed, ItemFailed, grpc.aio.AioRpcError)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each contender is asked."""

    rounds: int
    round_seconds: float
    open_seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found, by contender."""

    full: Turns
    """With 8 callers who each wait for their answer."""
    steady: dict[str, Load]
    """At 80 % of its own rate, latencies from the moment each request was due."""

    def better(self, names: Sequence[str]) -> str:
        """The one with the highest rate."""
        return max(names, key=self.full.rates.median)


def compare(
    contenders: Sequence[Contender], photos: Sequence[bytes], pace: Pace, runner: asyncio.Runner
) -> Comparison:
    """Rounds of all of them in turns, then each at its own rate. A refusal ends a round."""
    copies = Copies(photos)

    async def fully(contender: Contender) -> Load:
        async with contender.asking() as ask:
            return await closed_loop(ask, for_seconds(copies, pace.round_seconds), CALLERS)

    async def steadily(contender: Contender, per_second: float) -> Load:
        async with contender.asking() as ask:
            return await open_loop(ask, copies, per_second, pace.open_seconds, REFUSALS)

    def side(contender: Contender) -> Side:
        return Side(contender.name, contender.services, lambda: runner.run(fully(contender)))

    full = take_turns([side(contender) for contender in contenders], pace.rounds)
    steady = {
        contender.name: runner.run(
            steadily(contender, full.rates.median(contender.name) * SHARE_OF_BEST)
        )
        for contender in contenders
    }
    return Comparison(full, steady)
