"""Load: so many callers that each wait for their answer, or a constant rate of arrivals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from bench.kit.latency import Latencies

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Load:
    """What a load got done."""

    latencies: Latencies
    seconds: float
    """From the first request until the last answer."""
    failed: int = 0
    """Of the requests; each has the latency of one that was never answered: the whole load."""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def for_seconds(items: Iterable[T], seconds: float) -> Iterator[T]:
    """The items until the time from the first of them is up."""
    end = time.perf_counter() + seconds
    for item in items:
        yield item
        if time.perf_counter() >= end:
            return


async def closed_loop(
    call: Callable[[T], Awaitable[object]], items: Iterable[T], callers: int
) -> Load:
    """Every item once, `callers` of them at a time. A call that raises ends the load."""
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
    call: Callable[[T], Awaitable[object]],
    items: Iterable[T],
    per_second: float,
    seconds: float,
    failures: tuple[type[Exception], ...] = (),
) -> Load:
    """A constant rate of arrivals, whatever the answers take.

    A latency counts from the moment its request was due, so that a stall is felt by all who came
    during it.

    items: at least as many as arrive. failures: what a call may raise when it is refused, which is
    counted; others end the load.
    """
    count = max(1, round(per_second * seconds))
    latencies: list[float] = []
    failed = 0
    started = time.perf_counter()

    async def one(item: T, due: float) -> None:
        nonlocal failed
        try:
            await call(item)
        except failures:
            failed += 1
        else:
            latencies.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as requests:
        for number, item in enumerate(islice(items, count)):
            due = started + number / per_second
            await asyncio.sleep(due - time.perf_counter())
            requests.create_task(one(item, due))
    whole = time.perf_counter() - started
    return Load(Latencies.of([*latencies, *[whole] * failed]), whole, failed)
