"""The whole service: an edge over an inference server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kit.http_calls import Request, http_calls
from bench.kit.loops import Load, closed_loop
from bench.kit.processes import Service, Setting, start_edge, start_inference_workers
from bench.kit.world import World

IN_FLIGHT = 8
"""As `facesearch index` sends photos."""


@dataclass(frozen=True, slots=True)
class Facesearch:
    """As `facesearch up` runs them."""

    inference: Service
    edge: Service


@contextmanager
def facesearch(
    world: World, data_dir: Path | None = None, **settings: Setting
) -> Iterator[Facesearch]:
    """Both, ready. settings: of either. Raises StartFailed."""
    with (
        start_inference_workers(world, **settings) as inference,
        start_edge(world, inference, data_dir, **settings) as edge,
    ):
        yield Facesearch(inference, edge)


def put_photos(
    edge: Service, photos: Sequence[bytes], prefix: str, *, runner: asyncio.Runner | None = None
) -> Load:
    """Put photos into the base, 8 at a time, as <prefix>-0, <prefix>-1, … Raises RequestFailed.

    runner: of the caller; None: one of its own.
    """

    async def put_all() -> Load:
        async with http_calls(edge.url) as call:

            async def put(number: int) -> None:
                path = f"/photos/{prefix}-{number}"
                await call(Request.with_photo("PUT", path, photos[number], api_key=edge.api_key))

            return await closed_loop(put, range(len(photos)), IN_FLIGHT)

    return runner.run(put_all()) if runner else asyncio.run(put_all())
