"""What every vector store refuses before it stores or compares anything.

Milvus Lite takes NaN, zero vectors and empty keys without a word; so the check is here, once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.identity import PhotoKey, SpaceId
from storage.vectors.port import MAX_LIMIT, Embedding, FaceVector

UNIT_TOLERANCE = 1e-3
# 128 code points of four bytes each: a Milvus server counts the length of a VARCHAR in bytes.
MAX_NAME_BYTES = 512
MAX_ID_BYTES = 64
MAX_DIM = 32_768  # Milvus' own cap.

# What Milvus takes as the name of a collection.
_SPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)


def check_space(space: SpaceId) -> None:
    """Raises ValueError if no store could name anything after this space."""
    if not _SPACE.fullmatch(space):
        msg = f"{space!r} is no space id: letters, digits and underscores, no digit first"
        raise ValueError(msg)


def check_dim(dim: int) -> None:
    """Raises ValueError for a dim that no store can hold."""
    if not 1 <= dim <= MAX_DIM:
        msg = f"dim is {dim}: it must be 1 to {MAX_DIM}"
        raise ValueError(msg)


def check_faces(faces: Sequence[FaceVector], dim: int) -> NDArray[np.float32]:
    """The embeddings of the faces as one matrix of their own, (n, dim) float32, C order.

    Raises ValueError for an embedding that is not finite, of unit length and of `dim`, and for a
    key that is empty, too long or not text.
    """
    matrix = np.empty((len(faces), dim), dtype=np.float32)
    for row, face in enumerate(faces):
        _check_id("face_id", face.face_id)
        _check_id("revision", face.revision)
        _check_photo(face.photo)
        if face.embedding.shape != (dim,):
            msg = f"the embedding of {face.face_id} has shape {face.embedding.shape}, not ({dim},)"
            raise ValueError(msg)
        matrix[row] = face.embedding
    # In float64, so that a huge component overflows nothing.
    lengths = np.sqrt(np.einsum("nd,nd->n", matrix, matrix, dtype=np.float64))
    # Written so that NaN, which compares False with everything, is wrong too.
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= UNIT_TOLERANCE))
    if wrong.size:
        first = int(wrong[0])
        msg = f"the embedding of {faces[first].face_id} has length {lengths[first]}, not 1"
        raise ValueError(msg)
    return matrix


def check_probe(probe: Embedding, dim: int) -> NDArray[np.float32]:
    """The probe as (dim,) float32 in C order. Raises ValueError as `check_faces` does."""
    if probe.shape != (dim,):
        msg = f"the probe has shape {probe.shape}, not ({dim},)"
        raise ValueError(msg)
    vector = np.ascontiguousarray(probe, dtype=np.float32)
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not abs(length - 1.0) <= UNIT_TOLERANCE:
        msg = f"the probe has length {length}, not 1"
        raise ValueError(msg)
    return vector


def check_search(limit: int, minimum_score: float) -> None:
    """Raises ValueError for a limit outside 1 to MAX_LIMIT and a threshold that is NaN."""
    if not 1 <= limit <= MAX_LIMIT:
        msg = f"limit is {limit}: it must be 1 to {MAX_LIMIT}"
        raise ValueError(msg)
    if math.isnan(minimum_score):
        msg = "minimum_score is NaN"
        raise ValueError(msg)


def is_storable_id(value: str) -> bool:
    """Whether anything could be stored under such a face id or revision."""
    return bool(value) and _takes_at_most(value, MAX_ID_BYTES)


def is_storable_name(value: str) -> bool:
    """Whether anything could be stored under such a photo_id or collection_id."""
    return _takes_at_most(value, MAX_NAME_BYTES)


def _takes_at_most(value: str, size: int) -> bool:
    try:
        return len(value.encode()) <= size
    except UnicodeEncodeError:  # a lone surrogate is not text
        return False


def _check_id(field: str, value: str) -> None:
    if not is_storable_id(value):
        msg = f"{field} is {value!r}: it must be text of 1 to {MAX_ID_BYTES} bytes"
        raise ValueError(msg)


def _check_photo(photo: PhotoKey) -> None:
    if not photo.photo_id or not is_storable_name(photo.photo_id):
        msg = f"photo_id is {photo.photo_id!r}: it must be text of 1 to {MAX_NAME_BYTES} bytes"
        raise ValueError(msg)
    if not is_storable_name(photo.collection_id):
        msg = (
            f"collection_id is {photo.collection_id!r}:"
            f" it must be text of at most {MAX_NAME_BYTES} bytes"
        )
        raise ValueError(msg)
