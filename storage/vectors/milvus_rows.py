"""Rows as pymilvus takes and gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from storage.identity import FaceId, PhotoKey, RevisionId
from storage.vectors.milvus_schema import VECTOR_FIELD
from storage.vectors.port import Embedding, FaceKey, FaceVector, Hit

Row = Mapping[str, Any]


def row_of(face: FaceVector, embedding: Embedding) -> Row:
    """A face to store; `embedding` is its own, checked."""
    return {
        "face_id": face.face_id,
        "collection_id": face.photo.collection_id,
        "photo_id": face.photo.photo_id,
        "revision": face.revision,
        VECTOR_FIELD: embedding,
    }


def hit_of(row: Row) -> Hit:
    """A row that a search found."""
    key = key_of(row["entity"])
    score = min(1.0, max(-1.0, float(row["distance"])))
    return Hit(key.face_id, key.photo, key.revision, score)


def key_of(row: Row) -> FaceKey:
    """A row with the fields KEY_FIELDS."""
    return FaceKey(
        FaceId(row["face_id"]),
        PhotoKey(row["collection_id"], row["photo_id"]),
        RevisionId(row["revision"]),
    )


def face_of(row: Row) -> FaceVector:
    """The same with the vector."""
    key = key_of(row)
    embedding = np.asarray(row[VECTOR_FIELD], dtype=np.float32)
    return FaceVector(key.face_id, key.photo, key.revision, embedding)
