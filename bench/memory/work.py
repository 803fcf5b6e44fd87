"""Photos through `Analyze` and searches through the edge, with memory sampled on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from bench.kit.analyze import Policy, analyzing
from bench.kit.copies import Copies
from bench.kit.http_calls import Request, http_calls
from bench.kit.loops import closed_loop
from bench.kit.processes import Service
from bench.memory.series import MemorySeries

CALLERS = 8
_SAMPLES = 200


def analyze_many(inference: Service, photos: Sequence[bytes], count: int) -> MemorySeries:
    """So many photos, every look, every face. A photo that fails ends it."""

    async def run() -> MemorySeries:
        async with analyzing(inference.address, Policy.FULL) as analyze:
            return await _sampled(inference, "inference", analyze, photos, count)

    return asyncio.run(run())


def search_many(edge: Service, name: str, selfies: Sequence[bytes], count: int) -> MemorySeries:
    """So many searches. One that is refused ends it."""

    async def run() -> MemorySeries:
        async with http_calls(edge.url) as call:

            async def search(photo: bytes) -> None:
                await call(Request.with_photo("POST", "/search/", photo, api_key=edge.api_key))

            return await _sampled(edge, name, search, selfies, count)

    return asyncio.run(run())


async def _sampled(
    service: Service,
    name: str,
    call: Callable[[bytes], Awaitable[object]],
    photos: Sequence[bytes],
    count: int,
) -> MemorySeries:
    series = MemorySeries(name)
    series.add(0, service.rss_bytes())
    every = max(1, count // _SAMPLES)
    done = 0

    async def one(photo: bytes) -> None:
        nonlocal done
        await call(photo)
        done += 1
        if done % every == 0:
            series.add(done, service.rss_bytes())

    await closed_loop(one, islice(Copies(photos), count), CALLERS)
    return series
