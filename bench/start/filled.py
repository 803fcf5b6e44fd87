"""A data folder with so many faces in it, filled through the REST interface."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.kit.child import started
from bench.kit.processes import Service, start_edge
from bench.kit.world import World
from bench.search.calls import connections, form, many_at_once
from bench.search.people import photo_of

_FACES_A_PHOTO = 20
_PHOTO_BYTES = 20_000
_CALLERS = 8
_OK = 200


@contextmanager
def stub(world: World) -> Iterator[str]:
    """An inference server that answers at once, whatever the machine; its target."""
    # From this source tree, whichever one the edge is of.
    here = replace(world, checkout=None)
    with started("stub", [sys.executable, "-m", "bench.search.stub"], here, {}) as child:
        yield f"127.0.0.1:{child.serving()['port']}"


def fill(world: World, inference: str, folder: Path, faces: int) -> None:
    """Make the folder and enrol `faces` faces in it. Raises StartFailed, RuntimeError."""
    with start_edge(world, inference, folder) as edge:
        asyncio.run(_enrol(edge, faces))


async def _enrol(edge: Service, faces: int) -> None:
    def requests() -> Iterator[bytes]:
        for first in range(0, faces, _FACES_A_PHOTO):
            people = range(first, min(first + _FACES_A_PHOTO, faces))
            photo = photo_of(people, shot=1, size=_PHOTO_BYTES)
            yield form("PUT", f"/photos/photo-{first}", edge.api_key, photo)

    host, _, port = edge.address.partition(":")
    async with connections(host, int(port)) as opened:
        for answer in await many_at_once(opened.call, requests(), _CALLERS):
            if answer.status != _OK:
                raise RuntimeError(f"PUT /photos answered {answer.status}: {answer.body!r}")
