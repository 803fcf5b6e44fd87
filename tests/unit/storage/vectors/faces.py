"""Faces with random vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.identity import PhotoKey, RevisionId, SpaceId, face_id_of
from storage.vectors.port import Embedding, FaceKey, FaceVector, VectorStore

SPACE = SpaceId("space_1")


def random_units(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """(count, dim) float32 unit rows."""
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    units: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return units


def key(number: int, *, collection: str = "c", photo: str | None = None) -> FaceKey:
    """A face of its own revision, and of its own photo unless one is named."""
    revision = RevisionId(f"{number:026d}")
    owner = PhotoKey(collection, photo or f"photo {number}")
    return FaceKey(face_id_of(revision, 0), owner, revision)


def face(number: int, embedding: Embedding, *, collection: str = "c") -> FaceVector:
    """The same with a vector."""
    named = key(number, collection=collection)
    return FaceVector(named.face_id, named.photo, named.revision, embedding)


async def found_photos(store: VectorStore, probe: Embedding) -> set[str]:
    """The photo ids of every face of SPACE that a search finds."""
    hits = await store.search(SPACE, probe, within=None, limit=10_000, minimum_score=-1)
    return {hit.photo.photo_id for hit in hits}
