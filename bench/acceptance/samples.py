"""The pictures of the checks: people alone, two at once, nobody, and what is no picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bench.acceptance.answers import Photo
from bench.acceptance.calls import Calls
from bench.acceptance.operations import DETECT_FACES, SEARCH
from bench.acceptance.variants import jpeg_of
from bench.kit.picture_source import Picture, PictureSource

PORTRAITS = 4
"""Different people: as many as the checks need."""
_TRIES = 100
_SIDE = 250
_OK = 200
_GIF = bytes.fromhex("474946383961010001008000000000 00ffffff2c00000000010001000002024401003b")
"""One white pixel."""


class NoPortraits(Exception):
    """Too few of the pictures show one person alone. Says what to do."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Files as they are sent."""

    portraits: tuple[bytes, ...]
    """JPEGs of different people; on each the service sees one face."""
    png: bytes
    webp: bytes
    """The first portrait in other formats."""
    couple: bytes
    """Two people side by side."""
    twins: bytes
    """The first person twice."""
    nobody: bytes
    text: bytes
    cut: bytes
    """Half of a JPEG."""
    gif: bytes
    """A format that is not taken."""

    @property
    def unreadable(self) -> dict[str, bytes]:
        """What must be refused as no image, by what a reader calls it."""
        return {
            "a text": self.text,
            "half of a JPEG": self.cut,
            "a GIF": self.gif,
            "nothing": b"",
        }


def find_samples(calls: Calls, source: PictureSource, collection: str) -> Samples:
    """Ask the service itself which pictures show one face. Nothing is kept.

    collection: an empty one. Raises NoPortraits, CallFailed.
    """
    found = _portraits(calls, source, collection)
    if len(found) < PORTRAITS:
        raise NoPortraits(
            f"of {_TRIES} pictures {len(found)} show one person alone, and {PORTRAITS} are needed: "
            "name another folder with --photos-dir"
        )
    first, second = found[0], found[1]
    portrait = jpeg_of(first)
    return Samples(
        portraits=tuple(jpeg_of(picture) for picture in found),
        png=_encoded(".png", first),
        webp=_encoded(".webp", first),
        couple=jpeg_of(np.hstack([_square(first), _square(second)])),
        twins=jpeg_of(np.hstack([_square(first), _square(first)])),
        nobody=jpeg_of(sky()),
        text=b"this is no picture\n" * 100,
        cut=portrait[: len(portrait) // 2],
        gif=_GIF,
    )


def sky() -> Picture:
    """(480, 640, 3): a gradient, on which there is no face."""
    height, width = 480, 640
    down = np.linspace(230, 120, height, dtype=np.float32)[:, None, None]
    colour = np.array([1.0, 0.85, 0.7], np.float32)
    return np.asarray(np.broadcast_to(down * colour, (height, width, 3)), np.uint8)


def padded(photo: bytes, size: int) -> bytes:
    """So many bytes that begin as the photo does. What is too large is refused by its length."""
    return photo + bytes(max(0, size - len(photo)))


def _portraits(calls: Calls, source: PictureSource, collection: str) -> list[Picture]:
    found: dict[str, Picture] = {}
    for number in _spread(len(source)):
        person = source.person(number)
        if person in found:
            continue
        photo = jpeg_of(picture := source.picture(number))
        seen = calls(DETECT_FACES, image=photo, fields={"keep": "false"})
        if seen.status != _OK or len(seen.read(Photo).faces) != 1:
            continue
        # The picture of a search is looked at in its own way.
        if calls(SEARCH, image=photo, fields={"collection_id": collection}).status == _OK:
            found[person] = picture
        if len(found) == PORTRAITS:
            break
    return list(found.values())


def _spread(count: int) -> Sequence[int]:
    """Up to so many numbers below `count`, all over it."""
    return range(0, count, max(1, count // _TRIES))[:_TRIES]


def _square(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(cut, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(suffix: str, picture: Picture) -> bytes:
    done, encoded = cv2.imencode(suffix, picture)
    if not done:
        raise RuntimeError(f"OpenCV cannot write a {suffix}")
    return encoded.tobytes()
