"""Load: so many callers that each wait for their answer, or a constant rate of arrivals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TypeVar

from bench.kit.latency import Latencies

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Load:
    """What a load got done."""

    latencies: Latencies
    seconds: float
    """From the first request until the last answer."""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


async def closed_loop(
    call: Callable[[T], Awaitable[object]], items: Iterable[T], callers: int
) -> Load:
    """Every item once, `callers` of them at a time. What a call raises ends the load."""
    queue = iter(items)
    seconds: list[float] = []

    async def work() -> None:
        for item in queue:
            begun = time.perf_counter()
            await call(item)
            seconds.append(time.perf_counter() - begun)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as workers:
        for _ in range(callers):
            workers.create_task(work())
    return Load(Latencies.of(seconds), time.perf_counter() - started)


async def open_loop(
    call: Callable[[T], Awaitable[object]], items: Sequence[T], per_second: float, seconds: float
) -> Load:
    """A constant rate of arrivals, whatever the answers take.

    A latency counts from the moment its request was due, so that a stall is felt by all who came
    during it. What a call raises ends the load.
    """
    count = max(1, round(per_second * seconds))
    latencies: list[float] = []
    started = time.perf_counter()

    async def one(item: T, due: float) -> None:
        await call(item)
        latencies.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as requests:
        for number, item in enumerate(islice(cycle(items), count)):
            due = started + number / per_second
            await asyncio.sleep(due - time.perf_counter())
            requests.create_task(one(item, due))
    return Load(Latencies.of(latencies), time.perf_counter() - started)
