"""Memory over another store: that one keeps, this one searches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from storage.errors import StoreMisconfigured, VectorsUnavailable
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.vectors.gallery import Gallery, Query
from storage.vectors.gallery_owner import GalleryOwner
from storage.vectors.port import (
    Collections,
    Embedding,
    FaceKey,
    FaceVector,
    Hit,
    VectorStore,
)
from storage.vectors.validation import check_faces, check_probe, check_search

# Faces that go into memory in one step, so that the event loop is held for about a millisecond.
_STEP = 250


@dataclass(frozen=True, slots=True)
class Filling:
    """How far a space has been read into memory."""

    done: int
    total: int


@dataclass(slots=True)
class _Resident:
    owner: GalleryOwner
    total: int
    done: int = 0
    is_filled: bool = False
    # Revisions removed while the space is read: a page read before must not bring them back.
    removed: set[RevisionId] = field(default_factory=set)


class ResidentVectorStore:
    """A VectorStore that answers searches of opened spaces from memory, exactly.

    Additions and removals go to the inner store first and to memory after, one after another. It
    must be the only writer of the inner store. Scans and fetches read the inner store: they tell
    what is kept.
    """

    def __init__(self, inner: VectorStore) -> None:
        self._inner = inner
        self._residents: dict[SpaceId, _Resident] = {}
        self._opening = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._writes: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gallery")
        self._closed = False

    @property
    def filling(self) -> Mapping[SpaceId, Filling]:
        """The spaces that are being read into memory; until then the inner store searches them."""
        return {
            space: Filling(resident.done, resident.total)
            for space, resident in self._residents.items()
            if not resident.is_filled
        }

    async def open_space(self, space: SpaceId, dim: int) -> None:
        """As the port says; returns when the space is in memory (0.15 s for 1,000 faces)."""
        async with self._opening:
            await self._inner.open_space(space, dim)
            resident = self._residents.get(space)
            if resident is None:
                await self._fill(space, dim)
            elif resident.owner.dim != dim:
                msg = f"space {space} holds vectors of dim {resident.owner.dim}, not {dim}"
                raise StoreMisconfigured(msg)

    async def spaces(self) -> Sequence[SpaceId]:
        return await self._inner.spaces()

    async def drop_space(self, space: SpaceId) -> None:
        async with self._opening:
            await self._finished(self._drop(space))

    async def add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        resident = self._residents.get(space)
        if resident is None:
            await self._inner.add(space, faces)
            return
        matrix = check_faces(faces, resident.owner.dim)
        # The last of an id wins; and the caller may change its arrays while I wait.
        mine = {
            face.face_id: replace(face, embedding=row)
            for face, row in zip(faces, matrix, strict=True)
        }
        await self._finished(self._add(space, list(mine.values())))

    async def search(
        self,
        space: SpaceId,
        probe: Embedding,
        *,
        within: Collections,
        limit: int,
        minimum_score: float,
        excluding: Sequence[PhotoKey] = (),
    ) -> Sequence[Hit]:
        check_search(limit, minimum_score)
        resident = self._residents.get(space)
        if resident is None or not resident.is_filled:
            return await self._inner.search(
                space,
                probe,
                within=within,
                limit=limit,
                minimum_score=minimum_score,
                excluding=excluding,
            )
        vector = check_probe(probe, resident.owner.dim)
        return await resident.owner.search(
            Query(vector, within, limit, minimum_score, tuple(excluding))
        )

    async def remove_revisions(self, revisions: Sequence[RevisionId]) -> None:
        if revisions:
            await self._finished(self._remove(frozenset(revisions)))

    def scan(self, space: SpaceId) -> AsyncIterator[Sequence[FaceKey]]:
        return self._inner.scan(space)

    async def fetch(self, space: SpaceId, faces: Sequence[FaceId]) -> Sequence[FaceVector]:
        return await self._inner.fetch(space, faces)

    async def in_memory(self, space: SpaceId, faces: Sequence[FaceId]) -> frozenset[FaceId]:
        """Which of these faces are searched; of a space that is not in memory, which are kept."""
        resident = self._residents.get(space)
        if resident is None or not resident.is_filled:
            return frozenset(face.face_id for face in await self._inner.fetch(space, faces))
        return resident.owner.known(faces)

    async def count(self, space: SpaceId) -> int:
        resident = self._residents.get(space)
        if resident is None or not resident.is_filled:
            return await self._inner.count(space)
        return resident.owner.faces

    async def ping(self) -> None:
        await self._inner.ping()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.gather(*self._writes, return_exceptions=True)
        for resident in self._residents.values():
            await resident.owner.close()
        self._residents.clear()
        await asyncio.to_thread(self._thread.shutdown)
        await self._inner.close()

    async def _finished(self, write: Coroutine[None, None, None]) -> None:
        """Run a write to its end even if the caller goes: memory must not differ from the store."""
        task = asyncio.create_task(write)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        await asyncio.shield(task)

    async def _add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        async with self._writing:
            await self._inner.add(space, faces)
            resident = self._residents.get(space)
            if resident is not None:
                await _put(resident, faces, is_newer=True)

    async def _remove(self, revisions: frozenset[RevisionId]) -> None:
        async with self._writing:
            await self._inner.remove_revisions(sorted(revisions))
            for resident in list(self._residents.values()):
                if not resident.is_filled:
                    resident.removed |= revisions
                await resident.owner.remove_revisions(revisions)

    async def _drop(self, space: SpaceId) -> None:
        async with self._writing:
            await self._inner.drop_space(space)
            resident = self._residents.pop(space, None)
            if resident is not None:
                await resident.owner.close()

    async def _fill(self, space: SpaceId, dim: int) -> None:
        if self._closed:
            msg = "the vector store is closed"
            raise VectorsUnavailable(msg)
        resident = _Resident(GalleryOwner(Gallery(dim), self._thread), 0)
        # From here on it gets every addition and removal; searches wait until all is there.
        self._residents[space] = resident
        try:
            resident.total = await self._inner.count(space)
            async for keys in self._inner.scan(space):
                for start in range(0, len(keys), _STEP):
                    face_ids = [key.face_id for key in keys[start : start + _STEP]]
                    await _put(resident, await self._inner.fetch(space, face_ids), is_newer=False)
        except BaseException:
            del self._residents[space]
            await resident.owner.close()
            raise
        resident.is_filled = True
        resident.removed.clear()


async def _put(resident: _Resident, faces: Sequence[FaceVector], *, is_newer: bool) -> None:
    for start in range(0, len(faces), _STEP):
        some = [
            face
            for face in faces[start : start + _STEP]
            if is_newer or face.revision not in resident.removed
        ]
        if some:
            keys = [FaceKey(face.face_id, face.photo, face.revision) for face in some]
            matrix = np.stack([face.embedding for face in some])
            await resident.owner.put(keys, matrix, replace=is_newer)
        resident.done += 0 if is_newer else len(faces[start : start + _STEP])
