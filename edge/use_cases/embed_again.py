"""Faces of one space into another, from their photos' bytes and their landmarks."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import structlog

from edge.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InferenceUnavailable,
    InvalidImage,
    Overloaded,
)
from edge.use_cases.model import FaceAnalyzer
from storage.errors import EmbeddingSpaceMismatch, PhotosUnavailable
from storage.identity import FaceId, SpaceId
from storage.photos.port import PhotoStore
from storage.records.model import Face, Revision, Space
from storage.records.port import RecordStore
from storage.vectors.port import FaceVector, VectorStore

_log = structlog.get_logger("edge.embed_again")

Progress = Callable[[int, int | None], None]
"""How many faces were looked at, and how many there are, if that is known."""
Stored = Callable[[SpaceId, Sequence[FaceId]], Awaitable[Collection[FaceId]]]
"""Which of these faces have a vector in a space."""

_OfPhoto = Sequence[tuple[Revision, Face]]

_BUSY = (InferenceUnavailable, Overloaded, DeadlineExceeded, PhotosUnavailable)
_TRIES = 8
_FIRST_WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked of inference that others need, too."""

    at_once: int = 2
    """Photos at a time."""
    photos_a_second: float | None = None
    """At most; None: as fast as it goes."""


@dataclass(frozen=True, slots=True)
class Round:
    """One look at every face."""

    faces: int
    embedded: int
    left_out: int
    """Whose photo's bytes are lost or cannot be read."""


class EmbedAgain:
    """Looks at every indexed face, and makes the vectors that the other space lacks."""

    def __init__(
        self,
        vectors: VectorStore,
        records: RecordStore,
        photos: PhotoStore,
        *,
        stored: Stored | None = None,
    ) -> None:
        """`stored`: tells which faces have a vector; None: the vector store is asked for them."""
        self._vectors = vectors
        self._records = records
        self._photos = photos
        self._stored = stored or self._fetched

    async def __call__(
        self,
        former: SpaceId,
        space: Space,
        faces: FaceAnalyzer,
        pace: Pace,
        progress: Progress,
    ) -> Round:
        """One round. Raises what the stores and inference raise.

        Inference that is busy or away for a moment is waited for. Vectors are stored as they are
        made, so whatever stops a round, the next one has less to do.
        """
        tally = _Tally(await self._vectors.count(former), progress)
        turns = _Turns(pace.photos_a_second)
        async for page in self._records.indexed_faces(former):
            missing = await self._missing(former, space.id, page)
            tally.looked_at(len(page) - len(missing))
            waiting = iter(_by_photo(missing))
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(pace.at_once):
                        group.create_task(self._work(space, faces, waiting, turns, tally))
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from failed  # all workers end for the same reason
        return Round(tally.looked, tally.embedded, tally.left_out)

    async def _missing(self, former: SpaceId, space: SpaceId, page: _OfPhoto) -> _OfPhoto:
        there = set(await self._stored(space, [face.face_id for _, face in page]))
        missing = [(revision, face) for revision, face in page if face.face_id not in there]
        if not missing:
            return []
        # The page is a moment old: what was removed meanwhile is not missed.
        visible = await self._records.visible(former, [face.face_id for _, face in missing])
        return [(revision, face) for revision, face in missing if face.face_id in visible]

    async def _fetched(self, space: SpaceId, faces: Sequence[FaceId]) -> Collection[FaceId]:
        return {stored.face_id for stored in await self._vectors.fetch(space, faces)}

    async def _work(
        self,
        space: Space,
        faces: FaceAnalyzer,
        waiting: Iterator[_OfPhoto],
        turns: _Turns,
        tally: _Tally,
    ) -> None:
        for of_photo in waiting:
            await turns.next()
            vectors = await self._patiently(space, faces, of_photo)
            if vectors:
                await self._vectors.add(space.id, vectors)
                tally.embedded += len(vectors)
            else:
                tally.left_out += len(of_photo)
            tally.looked_at(len(of_photo))

    async def _patiently(
        self, space: Space, faces: FaceAnalyzer, of_photo: _OfPhoto
    ) -> Sequence[FaceVector]:
        for attempt in range(_TRIES - 1):
            try:
                return await self._embedded(space, faces, of_photo)
            except _BUSY as error:
                _log.info("reindex_waits", cause=str(error))
                await asyncio.sleep(_FIRST_WAIT_SECONDS * 2**attempt)
                await self._ensure_wanted(space, error)
        return await self._embedded(space, faces, of_photo)

    async def _ensure_wanted(self, space: Space, error: Exception) -> None:
        """Raise `error` if somebody has begun anew with another server: ours will not be back."""
        for row in await self._records.spaces():
            if row.id == space.id and row.target == space.target:
                return
        raise error

    async def _embedded(
        self, space: Space, faces: FaceAnalyzer, of_photo: _OfPhoto
    ) -> Sequence[FaceVector]:
        """The vectors of faces of one photo; none if its bytes are lost or cannot be read."""
        photo = of_photo[0][0]
        image = await self._photos.get(photo.id)
        if image is None:
            _log.warning("face_left_out", revision=photo.id, reason="the bytes are lost")
            return []
        vectors = []
        for revision, face in of_photo:
            try:
                embedding, model = await faces.embed(image, face.seen.landmarks)
            except (InvalidImage, ImageTooLarge) as error:
                _log.warning("face_left_out", revision=photo.id, reason=str(error))
                return []
            if model.space_id != space.id:
                raise EmbeddingSpaceMismatch(found=model.space_id, wanted=space.id)
            vectors.append(FaceVector(face.face_id, revision.photo, revision.id, embedding))
        return vectors


class _Turns:
    """Lets so many a second begin."""

    def __init__(self, a_second: float | None) -> None:
        self._seconds = 0.0 if a_second is None else 1 / a_second
        self._next = 0.0

    async def next(self) -> None:
        if self._seconds:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + self._seconds
            await asyncio.sleep(mine - now)


class _Tally:
    """Counts one round, and tells how far it is."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self.looked = 0
        self.embedded = 0
        self.left_out = 0

    def looked_at(self, faces: int) -> None:
        self.looked += faces
        self._progress(self.looked, max(self._total, self.looked))


def _by_photo(faces: _OfPhoto) -> Sequence[_OfPhoto]:
    of_photo: defaultdict[str, list[tuple[Revision, Face]]] = defaultdict(list)
    for revision, face in faces:
        of_photo[revision.id].append((revision, face))
    return list(of_photo.values())
