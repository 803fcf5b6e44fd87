"""Indexed faces whose vector is gone, made again from the photo and the landmarks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from edge.errors import ImageTooLarge, InvalidImage
from edge.use_cases.model import FaceAnalyzer
from storage.identity import FaceId, SpaceId
from storage.photos.port import PhotoStore
from storage.records.model import Face, Revision, Space
from storage.records.port import RecordStore
from storage.vectors.port import FaceVector, VectorStore

_log = structlog.get_logger(__name__)

# How far it is: what was looked at, and how much there is, if that is known.
Progress = Callable[[int, int | None], None]
# Which of these faces have a vector.
Stored = Callable[[SpaceId, Sequence[FaceId]], Awaitable[Collection[FaceId]]]

# Photos embedded side by side: enough for inference to batch, few enough to leave room for others.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class VectorsChecked:
    """The faces of one space, held against its vectors."""

    faces: int
    """Indexed faces of live photos."""
    missing: int
    """… without a vector."""
    restored: int
    """… that have one again."""


class MissingVectors:
    """Finds indexed faces without a vector, and makes the vectors again.

    Also for the start on a Milvus Lite folder, whose log is not fsynced: what the machine's crash
    took from it comes back before anybody misses it.
    """

    def __init__(
        self,
        faces: FaceAnalyzer,
        vectors: VectorStore,
        records: RecordStore,
        photos: PhotoStore,
        *,
        stored: Stored | None = None,
    ) -> None:
        """`stored`: tells which faces have a vector; None: the vector store is asked for them."""
        self._stored = stored or self._fetched
        self._faces = faces
        self._vectors = vectors
        self._records = records
        self._photos = photos

    async def __call__(self, space: Space, *, repair: bool, progress: Progress) -> VectorsChecked:
        """Check a space; raises whatever the stores raise, and InferenceUnavailable on repair."""
        if repair:
            await self._vectors.open_space(space.id, space.dim)
        faces = missing = restored = 0
        async for page in self._records.indexed_faces(space.id):
            gone = await self._without_vector(space.id, page)
            faces += len(page)
            missing += len(gone)
            if gone and repair:
                restored += await self._restore(space.id, gone)
            progress(faces, None)
        if missing:
            _log.warning("vectors_missing", space=space.id, missing=missing, restored=restored)
        return VectorsChecked(faces=faces, missing=missing, restored=restored)

    async def _without_vector(
        self, space: SpaceId, page: Sequence[tuple[Revision, Face]]
    ) -> Sequence[tuple[Revision, Face]]:
        there = await self._stored(space, [face.face_id for _, face in page])
        gone = [(revision, face) for revision, face in page if face.face_id not in there]
        if not gone:
            return []
        # The page is a moment old: what was removed meanwhile misses nothing.
        visible = await self._records.visible(space, [face.face_id for _, face in gone])
        return [(revision, face) for revision, face in gone if face.face_id in visible]

    async def _fetched(self, space: SpaceId, faces: Sequence[FaceId]) -> Collection[FaceId]:
        return {stored.face_id for stored in await self._vectors.fetch(space, faces)}

    async def _restore(self, space: SpaceId, gone: Sequence[tuple[Revision, Face]]) -> int:
        by_photo: defaultdict[str, list[tuple[Revision, Face]]] = defaultdict(list)
        for revision, face in gone:
            by_photo[revision.id].append((revision, face))
        photos = list(by_photo.values())
        restored = 0
        for start in range(0, len(photos), _AT_ONCE):
            made = await asyncio.gather(
                *(self._embedded(space, faces) for faces in photos[start : start + _AT_ONCE])
            )
            vectors = [vector for of_photo in made for vector in of_photo]
            if vectors:
                await self._vectors.add(space, vectors)
            restored += len(vectors)
        return restored

    async def _embedded(
        self, space: SpaceId, faces: Sequence[tuple[Revision, Face]]
    ) -> Sequence[FaceVector]:
        """The vectors of faces of one photo; none if its bytes or the model are not to be had."""
        photo = faces[0][0]
        image = await self._photos.get(photo.id)
        if image is None:
            _log.warning("vector_not_restored", revision=photo.id, reason="the bytes are lost")
            return []
        vectors = []
        for revision, face in faces:
            try:
                embedding, model = await self._faces.embed(image, face.seen.landmarks)
            except (InvalidImage, ImageTooLarge) as error:
                _log.warning("vector_not_restored", revision=photo.id, reason=str(error))
                return []
            if model.space_id != space:
                reason = f"inference runs {model.pack}, another model"
                _log.warning("vector_not_restored", revision=photo.id, reason=reason)
                return []
            vectors.append(FaceVector(face.face_id, revision.photo, revision.id, embedding))
        return vectors
