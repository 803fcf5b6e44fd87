"""Vectors in memory, for tests and demonstrations: simple, exact and gone at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from storage.errors import StoreMisconfigured
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.vectors.port import Collections, Embedding, FaceKey, FaceVector, Hit
from storage.vectors.ranking import exact_scores, most_similar_first
from storage.vectors.validation import (
    check_dim,
    check_faces,
    check_probe,
    check_search,
    check_space,
)

_PAGE = 1_000


@dataclass(slots=True)
class _Space:
    dim: int
    faces: dict[FaceId, FaceVector] = field(default_factory=dict)


class MemoryVectorStore:
    """A VectorStore whose every search looks at every face."""

    def __init__(self) -> None:
        self._spaces: dict[SpaceId, _Space] = {}

    async def open_space(self, space: SpaceId, dim: int) -> None:
        check_space(space)
        check_dim(dim)
        found = self._spaces.setdefault(space, _Space(dim))
        if found.dim != dim:
            msg = f"space {space} holds vectors of dim {found.dim}, not {dim}"
            raise StoreMisconfigured(msg)

    async def spaces(self) -> Sequence[SpaceId]:
        return sorted(self._spaces)

    async def drop_space(self, space: SpaceId) -> None:
        self._spaces.pop(space, None)

    async def add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        opened = self._spaces.get(space)
        if opened is None:
            msg = f"space {space} is not open"
            raise ValueError(msg)
        matrix = check_faces(faces, opened.dim)
        # The caller may go on writing to its arrays; nobody may to mine.
        matrix.flags.writeable = False
        for face, embedding in zip(faces, matrix, strict=True):
            opened.faces[face.face_id] = replace(face, embedding=embedding)

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
        opened = self._spaces.get(space)
        if opened is None:
            return []
        vector = check_probe(probe, opened.dim)
        passed_over = frozenset(excluding)
        faces = [
            face
            for face in opened.faces.values()
            if (within is None or face.photo.collection_id in within)
            and face.photo not in passed_over
        ]
        if not faces:
            return []
        scores = exact_scores(np.stack([face.embedding for face in faces]), vector)
        hits = [
            Hit(face.face_id, face.photo, face.revision, float(score))
            for face, score in zip(faces, scores, strict=True)
            if score >= minimum_score
        ]
        return sorted(hits, key=most_similar_first)[:limit]

    async def remove_revisions(self, revisions: Sequence[RevisionId]) -> None:
        gone = frozenset(revisions)
        for opened in self._spaces.values():
            opened.faces = {
                face_id: face for face_id, face in opened.faces.items() if face.revision not in gone
            }

    async def scan(self, space: SpaceId) -> AsyncIterator[Sequence[FaceKey]]:
        opened = self._spaces.get(space)
        if opened is None:
            return
        keys = [FaceKey(face.face_id, face.photo, face.revision) for face in opened.faces.values()]
        for start in range(0, len(keys), _PAGE):
            yield keys[start : start + _PAGE]

    async def fetch(self, space: SpaceId, faces: Sequence[FaceId]) -> Sequence[FaceVector]:
        opened = self._spaces.get(space)
        if opened is None:
            return []
        return [opened.faces[face_id] for face_id in set(faces) if face_id in opened.faces]

    async def count(self, space: SpaceId) -> int:
        opened = self._spaces.get(space)
        return len(opened.faces) if opened else 0

    async def ping(self) -> None:
        """Memory always answers."""

    async def close(self) -> None:
        """Nothing is held."""
