"""People whose photos are only bytes: who is on a photo is written in it.

A photo begins as a JPEG does, then says in four bytes each who is on it, and is filled up to the
size of a real one. The stub (bench.search.stub) reads the names and answers with embeddings that
are near each other for one person and far for two, as a recogniser's are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIM = 512
_MAGIC = b"\xff\xd8\xff\xe0PEOPLE"
_HEAD = struct.Struct("<10sIH")
# Cosine of two photos of one person: 0.8² = 0.64, well above the default threshold of 0.5.
_LIKENESS = 0.8
_CHANCE = (1.0 - _LIKENESS**2) ** 0.5


def photo_of(people: Sequence[int], shot: int, size: int) -> bytes:
    """The bytes of shot number `shot` that shows these people, `size` bytes long."""
    head = _HEAD.pack(_MAGIC, shot, len(people)) + np.array(people, "<u4").tobytes()
    return head + bytes(size - len(head))


def shown_on(photo: bytes) -> tuple[int, list[int]]:
    """The shot and the people of a photo. Raises ValueError if it is none of ours."""
    magic, shot, count = _HEAD.unpack_from(photo)
    if magic != _MAGIC:
        raise ValueError("not a photo of bench.search")
    return shot, np.frombuffer(photo, "<u4", count, _HEAD.size).tolist()


def face_of(person: int, shot: int) -> NDArray[np.float32]:
    """The person's embedding on this shot: (DIM,), unit length, always the same."""
    return _unit(_LIKENESS * _direction(person, 0) + _CHANCE * _direction(person, shot + 1))


def _direction(person: int, number: int) -> NDArray[np.float32]:
    drawn = np.random.Generator(np.random.SFC64((person, number))).standard_normal(DIM)
    return _unit(drawn)


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit
