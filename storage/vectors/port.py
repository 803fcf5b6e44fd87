"""What a vector store does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId

# (dim,) float32, finite, unit length.
Embedding = NDArray[np.float32]
# Which collections to search: None is the whole base; "" among them is what is in no collection.
Collections = frozenset[str] | None

MAX_LIMIT = 16_384  # Milvus' own cap on rows an answer; every adapter keeps to it.


@dataclass(frozen=True, slots=True)
class FaceVector:
    """One face of one photo revision with its embedding."""

    face_id: FaceId
    photo: PhotoKey
    revision: RevisionId
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class FaceKey:
    """A stored face without its embedding."""

    face_id: FaceId
    photo: PhotoKey
    revision: RevisionId


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored face near a probe."""

    face_id: FaceId
    photo: PhotoKey
    revision: RevisionId
    score: float
    """Cosine similarity, −1 to 1, unrounded."""


class VectorStore(Protocol):
    """Embeddings by space. Additions and removals may be repeated and end in the same state.

    Nothing here decides what is visible: records do. Every method may raise VectorsUnavailable;
    writes may raise StorageFull.
    """

    async def open_space(self, space: SpaceId, dim: int) -> None:
        """Make the space ready for additions and searches; creates it if it is new.

        Raises StoreMisconfigured if it exists with another dim.
        """
        ...

    async def spaces(self) -> Sequence[SpaceId]:
        """The spaces that exist, in order of name."""
        ...

    async def drop_space(self, space: SpaceId) -> None:
        """Remove the space and all in it. Unknown spaces are fine."""
        ...

    async def add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        """Store faces; one with a known face_id is replaced. All are durable on return.

        Raises ValueError for an embedding that is not finite, of unit length (within 1e-3) and of
        the space's dim, or for an empty key: nothing of the call is stored then.
        """
        ...

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
        """The `limit` (1 to MAX_LIMIT) most similar faces with score >= minimum_score.

        Most similar first; ties by photo_id, collection_id, face_id. Faces of the photos in
        `excluding` are passed over. Fewer than `limit` rows means there are no more. An unknown or
        empty space gives an empty answer.

        Raises CollectionNeeded if `within` is None and each collection is indexed by itself.
        """
        ...

    async def remove_revisions(self, revisions: Sequence[RevisionId]) -> None:
        """Remove every face of these revisions, in every space. Unknown ones are fine."""
        ...

    def scan(self, space: SpaceId) -> AsyncIterator[Sequence[FaceKey]]:
        """Every face of the space, in pages, in no order; additions meanwhile may be missed."""
        ...

    async def fetch(self, space: SpaceId, faces: Sequence[FaceId]) -> Sequence[FaceVector]:
        """These faces with their embeddings; unknown ones are left out; in no order."""
        ...

    async def count(self, space: SpaceId) -> int:
        """Faces in the space."""
        ...

    async def ping(self) -> None:
        """Return if the store answers."""
        ...

    async def close(self) -> None:
        """Release what is held. Safe to call twice."""
        ...
