"""The same picture in other bytes.

An edge knows a selfie again that it has just seen (by SHA-256, so that the pages of one search come
from one probe) and does not ask inference. Different people send different files, so a load must
never send one twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

_START = b"\xff\xd8"
_COMMENT = b"\xff\xfe"
_DIGITS = 16


class NotAJpeg(Exception):
    """Only JPEGs can be copied so."""


def copy_of(photo: bytes, number: int) -> bytes:
    """A JPEG that differs in its comment (segment COM) alone. Raises NotAJpeg."""
    if not photo.startswith(_START):
        raise NotAJpeg("a photo of a load is no JPEG")
    comment = f"{number:0{_DIGITS}}".encode("ascii")
    length = (len(comment) + 2).to_bytes(2, "big")
    return b"".join((_START, _COMMENT, length, comment, photo[len(_START) :]))


class Copies:
    """Photos in turns, without end, never the same bytes twice."""

    def __init__(self, photos: Sequence[bytes]) -> None:
        self._turns = zip(itertools.cycle(photos), itertools.count(), strict=False)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return copy_of(*next(self._turns))
