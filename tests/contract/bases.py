"""Bases on real engines: filled through the use cases, and compared whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.base.no_inference import NoInference
from edge.jobs import JobHandler, JobWorker
from edge.use_cases.check import CheckBase, CheckReport
from edge.use_cases.detect import DetectFaces
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.remove import RemovePhotos
from edge.use_cases.sweep import Sweep, SweepSettings
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.open import Stores, open_stores
from storage.records.model import ApiKey, Photo, Space, SpaceState
from storage.records.port import RecordStore
from storage.settings import load_settings
from tests.unit.edge.fakes import FakeFaceAnalyzer, photo_of

RETIRED = Space(SpaceId("s_former"), "former", "1", 8, SpaceState.RETIRED)


class Service:
    """The use cases on open stores, with inference that is scripted."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.faces = FakeFaceAnalyzer()
        self.sweep = Sweep(
            stores.records,
            stores.vectors,
            stores.photos,
            SweepSettings(interval_seconds=0.01, debounce_seconds=0.01, orphans_seconds=0.0),
        )
        ports = (self.faces, stores.vectors, stores.records, stores.photos)
        self.enrol = EnrolPhoto(*ports, sweep=self.sweep)
        self.detect = DetectFaces(*ports, sweep=self.sweep)
        self.remove = RemovePhotos(stores.records, self.sweep)


@dataclass(frozen=True)
class Content:
    """All that a base holds for its users."""

    photos: Mapping[RevisionId, tuple[Photo, bytes | None]]
    vectors: Mapping[SpaceId, Mapping[FaceId, tuple[PhotoKey, RevisionId, bytes]]]
    spaces: tuple[Space, ...]
    keys: tuple[ApiKey, ...]


async def content_of(stores: Stores) -> Content:
    """Records with their bytes and vectors, to be compared bit by bit."""
    photos: dict[RevisionId, tuple[Photo, bytes | None]] = {}
    async for page in stores.records.live_revisions():
        for revision in page:
            photo = await stores.records.revision(revision.id)
            assert photo is not None
            photos[revision.id] = (photo, await stores.photos.get(revision.id))
    vectors = {}
    spaces = await stores.records.spaces()
    for space in spaces:
        faces = [
            face.face_id
            async for page_ in stores.records.indexed_faces(space.id)
            for _, face in page_
        ]
        vectors[space.id] = {
            stored.face_id: (stored.photo, stored.revision, stored.embedding.tobytes())
            for stored in await stores.vectors.fetch(space.id, faces)
        }
    return Content(photos, vectors, tuple(spaces), tuple(await stores.records.keys()))


async def check_of(stores: Stores) -> CheckReport:
    """What `facesearch check` finds."""
    check = CheckBase(NoInference(), stores.vectors, stores.records, stores.photos)
    return await check(repair=False, progress=lambda _done, _total: None)


@asynccontextmanager
async def base_in(data_dir: Path) -> AsyncIterator[Stores]:
    """The stores that the environment names, as a service opens them."""
    async with open_stores(load_settings(data_dir=data_dir)) as stores:
        yield stores


@asynccontextmanager
async def doing_jobs(
    records: RecordStore, handlers: Mapping[str, JobHandler]
) -> AsyncIterator[None]:
    """A worker as the edge has it."""
    worker = asyncio.create_task(JobWorker(records, handlers, poll_seconds=0.02).run())
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


def key(photo_id: str, collection_id: str = "") -> PhotoKey:
    return PhotoKey(collection_id, photo_id)


async def fill(stores: Stores) -> None:
    """A bit of everything that a base can hold."""
    service = Service(stores)
    await service.enrol(key("beach.jpg", "wedding"), photo_of("anna", "bob"))
    await service.enrol(key("Größe 😀\n'\"", "c"), photo_of("carol"))
    await service.enrol(key("replaced"), photo_of("dave"))
    await service.enrol(key("replaced"), photo_of("dave", shot=1))
    await service.enrol(key("nobody"), photo_of())
    await service.detect(key("detected"), photo_of("eve"))
    await service.enrol(key("removed"), photo_of("frank"))
    await service.remove.one("removed", None, None)
    await service.sweep.once()
    await stores.records.add_space(RETIRED)
    made = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    for name, collections in (("all", None), ("guests", frozenset({"wedding"}))):
        await stores.records.add_key(
            ApiKey(
                name, name.encode().hex().rjust(64, "0"), frozenset({"search"}), collections, made
            )
        )
    await stores.records.revoke_key("guests")
