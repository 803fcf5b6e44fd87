"""Two collections of real photos, enrolled once and kept: the long form's take minutes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.kit.http_calls import Request, http_calls
from bench.kit.loops import closed_loop
from bench.kit.picture_source import PictureSource
from bench.kit.processes import Service, start_edge
from bench.kit.world import ROOT, World

COLLECTIONS = ("first", "second")
CACHE_VARIABLE = "FACESEARCH_BENCH_CACHE"
_IN_FLIGHT = 8
_LAYOUT = ("storage/records/migrations/versions", "storage/vectors/milvus_schema.py")
"""What decides whether a folder that another version filled can still be read."""


@dataclass(frozen=True, slots=True)
class BaseContents:
    """Which photos are in the base."""

    source: PictureSource
    first: Sequence[int]
    """Pictures that must be there: of the people who are searched for."""
    per_collection: int

    @property
    def pictures(self) -> list[int]:
        """Of every photo, in the order they are enrolled; some twice if there are too few."""
        known = set(self.first)
        others = [number for number in range(len(self.source)) if number not in known]
        order = [*self.first, *others]
        return [order[n % len(order)] for n in range(self.per_collection * len(COLLECTIONS))]


@contextmanager
def filled_base(world: World, inference: Service, contents: BaseContents) -> Iterator[Path]:
    """A data folder with these photos, removed afterwards.

    A copy of the one that is kept in FACESEARCH_BENCH_CACHE, or else in ~/.cache/facesearch-bench;
    if it is not there yet, every photo goes through `PUT /photos` of a real edge.
    """
    kept = _cache() / _key(world, contents)
    if not kept.is_dir():
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        try:
            _fill(world, inference, contents, unfinished)
            if not kept.is_dir():  # another run may have been first
                unfinished.rename(kept)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        copy = Path(folder) / "data"
        shutil.copytree(kept, copy)
        yield copy


def photo_id(source: PictureSource, picture: int, place: int) -> str:
    """Begins with the person; `place` sets copies of one picture apart."""
    return f"{source.person(picture)}/{place:05}"


def _fill(world: World, inference: Service, contents: BaseContents, folder: Path) -> None:
    pictures = contents.pictures
    print(f"enrolling {len(pictures)} photos, once ...", flush=True)
    folder.mkdir(parents=True)
    with start_edge(world, inference, data_dir=folder) as edge:
        asyncio.run(_enrol(edge, contents.source, pictures))


async def _enrol(edge: Service, source: PictureSource, pictures: Sequence[int]) -> None:
    async with http_calls(edge.url) as call:

        async def put(place: int) -> None:
            collection = COLLECTIONS[place % len(COLLECTIONS)]
            name = quote(photo_id(source, pictures[place], place), safe="")
            path = f"/photos/{name}?collection_id={collection}"
            photo = source.encoded(pictures[place])
            await call(Request.with_photo("PUT", path, photo, api_key=edge.api_key))

        await closed_loop(put, range(len(pictures)), _IN_FLIGHT)


def _key(world: World, contents: BaseContents) -> str:
    """Of a folder that holds just this: the photos, the pack and the layout of the stores."""
    hashed = hashlib.sha256(contents.source.key.encode())
    hashed.update(repr(contents.pictures).encode())
    for file in sorted(world.pack.iterdir()):
        if file.is_file():
            hashed.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    checkout = world.checkout or ROOT
    for place in _LAYOUT:
        for file in sorted((checkout / place).glob("*.py")) or [checkout / place]:
            hashed.update(file.read_bytes())
    return f"base-{len(contents.pictures)}-{hashed.hexdigest()[:16]}"


def _cache() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "facesearch-bench"
