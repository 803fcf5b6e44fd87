"""A base of in-memory twins with a scripted analyzer, and every use case on it."""

from __future__ import annotations

from dataclasses import dataclass, field

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
from storage.photos.memory import MemoryPhotoStore
from storage.photos.port import PhotoStore
from storage.records.memory import MemoryRecordStore
from storage.records.port import RecordStore
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import VectorStore
from tests.unit.edge.fakes import MODEL, FakeFaceAnalyzer, Steps, photo_of, stepping


@dataclass
class Base:
    """The stores, each with its steps, and the use cases over them."""

    faces: FakeFaceAnalyzer = field(default_factory=FakeFaceAnalyzer)

    def __post_init__(self) -> None:
        self.vectors: VectorStore
        self.records: RecordStore
        self.photos: PhotoStore
        self.vector_steps: Steps
        self.record_steps: Steps
        self.photo_steps: Steps
        self.vectors, self.vector_steps = stepping(MemoryVectorStore())
        self.records, self.record_steps = stepping(MemoryRecordStore())
        self.photos, self.photo_steps = stepping(MemoryPhotoStore())
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


@pytest.fixture
def base() -> Base:
    return Base()
