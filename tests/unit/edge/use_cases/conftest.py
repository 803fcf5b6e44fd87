"""A base of in-memory twins with a scripted analyzer, and every use case on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.use_cases.add_face import AddFace
from edge.use_cases.detect import DetectFaces
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.model import SearchPage, SearchQuery
from edge.use_cases.read import ReadPhotos
from edge.use_cases.remove import RemovePhotos
from edge.use_cases.search import SearchPhotos
from edge.use_cases.sweep import Sweep, SweepSettings
from storage.identity import PhotoKey
from storage.photos.folder import FolderPhotoStore
from storage.photos.memory import MemoryPhotoStore
from storage.photos.port import PhotoStore
from storage.records.engines import sqlite_url
from storage.records.memory import MemoryRecordStore
from storage.records.port import RecordStore
from storage.records.sql import SqlRecordStore
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import VectorStore
from storage.vectors.resident import ResidentVectorStore
from tests.unit.edge.fakes import MODEL, FakeFaceAnalyzer, Steps, photo_of, stepping


@dataclass
class Base:
    """The stores, each with its steps, and the use cases over them."""

    faces: FakeFaceAnalyzer = field(default_factory=FakeFaceAnalyzer)
    vectors: VectorStore = field(default_factory=MemoryVectorStore)
    records: RecordStore = field(default_factory=MemoryRecordStore)
    photos: PhotoStore = field(default_factory=MemoryPhotoStore)

    def __post_init__(self) -> None:
        self.vector_steps: Steps
        self.record_steps: Steps
        self.photo_steps: Steps
        self.vectors, self.vector_steps = stepping(self.vectors)
        self.records, self.record_steps = stepping(self.records)
        self.photos, self.photo_steps = stepping(self.photos)
        self.sweep = Sweep(
            self.records, self.vectors, self.photos, SweepSettings(orphans_seconds=0.0)
        )
        stores = (self.faces, self.vectors, self.records, self.photos)
        self.enrol = EnrolPhoto(*stores, sweep=self.sweep)
        self.detect = DetectFaces(*stores, sweep=self.sweep)
        self.add_face = AddFace(*stores, sweep=self.sweep)
        self.search = SearchPhotos(self.faces, self.vectors, self.records)
        self.read = ReadPhotos(self.records, self.photos)
        self.remove = RemovePhotos(self.records, self.sweep)

    async def find(
        self, person: str, *, threshold: float = 0.5, collections: frozenset[str] | None = None
    ) -> SearchPage:
        """The photos of a person, as another photo of theirs finds them."""
        return await self.search(
            photo_of(person, shot=99),
            SearchQuery(top_k=50, offset=0, score_threshold=threshold, collections=collections),
        )

    async def found(self, person: str) -> list[str]:
        """The photo ids of `find`."""
        return [match.photo.photo_id for match in (await self.find(person)).matches]

    async def faces_stored(self) -> int:
        return await self.vectors.count(MODEL.space_id)

    async def photos_stored(self) -> int:
        return sum([len(page) async for page in self.photos.scan()])


def key(photo_id: str, collection_id: str = "") -> PhotoKey:
    return PhotoKey(collection_id, photo_id)


@pytest.fixture(params=["memory"])
async def base(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Base]:
    """A base in memory; `EVERY_BASE` on a test asks for what people run too."""
    if request.param == "memory":
        base = Base()
    else:
        base = Base(
            vectors=ResidentVectorStore(MemoryVectorStore()),
            records=await SqlRecordStore.open(
                sqlite_url(tmp_path / "records.sqlite").render_as_string(), timeout_seconds=30
            ),
            photos=FolderPhotoStore(tmp_path / "photos"),
        )
    yield base
    await base.vectors.close()
    await base.records.close()
    await base.photos.close()


EVERY_BASE = pytest.mark.parametrize("base", ["memory", "sqlite, folder, resident"], indirect=True)
