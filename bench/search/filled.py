"""A data folder with so many faces in it, filled through the REST interface."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.kit.child import started
from bench.kit.http_calls import Request, http_calls
from bench.kit.loops import closed_loop
from bench.kit.processes import Service, start_edge
from bench.kit.world import World
from bench.search.people import photo_of

# Group photos: what takes time is a photo, not a face.
_FACES_A_PHOTO = 20
_PHOTO_BYTES = 20_000
_CALLERS = 8


@contextmanager
def stub(world: World) -> Iterator[Service]:
    """An inference server that answers at once, whatever the machine."""
    # From this source tree, whichever one the edge is of.
    here = replace(world, checkout=None)
    with started("stub", [sys.executable, "-m", "bench.search.stub"], here, {}) as child:
        address = f"127.0.0.1:{child.serving()['port']}"
        yield Service(name="stub", pid=child.pid, address=address, target=address)


def fill(world: World, inference: Service, folder: Path, faces: int, people: int) -> None:
    """Make the folder and enrol `faces` faces of `people` people in it, each on as many photos.

    Raises StartFailed, RequestFailed.
    """
    with start_edge(world, inference, folder) as edge:
        asyncio.run(_enrol(edge, faces, people))


async def _enrol(edge: Service, faces: int, people: int) -> None:
    def requests() -> Iterator[Request]:
        for shot, first in enumerate(range(0, faces, _FACES_A_PHOTO)):
            shown = [n % people for n in range(first, min(first + _FACES_A_PHOTO, faces))]
            photo = photo_of(shown, shot, _PHOTO_BYTES)
            path = f"/photos/photo-{shot}"
            yield Request.with_photo("PUT", path, photo, api_key=edge.api_key)

    async with http_calls(edge.url) as call:
        await closed_loop(call, requests(), _CALLERS)
