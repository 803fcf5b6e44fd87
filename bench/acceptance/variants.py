"""More photos than there are pictures: variants of them, always the same ones.

Number n of a set depends on the pictures, the seed and n alone. The first round of a set are the
pictures as they are; of each further round every photo is the picture mirrored or not, scaled, in
another light and compressed anew, so that no two photos have the same pixels or the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bench.kit.copies import copy_of
from bench.kit.picture_source import Picture, PictureSource

_LIGHT = (0.75, 1.25)
_QUALITY = (60, 96)
_SCALE = (0.8, 1.6)


@dataclass(frozen=True, slots=True)
class Variant:
    """What is done to a picture."""

    is_mirrored: bool
    scale: float
    """Of both sides."""
    light: float
    """Factor of all values; 1: as it is."""
    quality: int
    """Of the JPEG."""

    @classmethod
    def of(cls, seed: int, picture: int, round_: int) -> Variant:
        """The one of this picture in this round, from 1."""
        random = np.random.default_rng([seed, picture, round_])
        return cls(
            is_mirrored=round_ % 2 == 1,
            scale=float(random.uniform(*_SCALE)),
            light=float(random.uniform(*_LIGHT)),
            quality=int(random.integers(*_QUALITY)),
        )

    def apply(self, picture: Picture) -> Picture:
        """picture: (height, width, 3). Returns one of `scale` times its sides."""
        made = cv2.flip(picture, 1) if self.is_mirrored else picture
        way = cv2.INTER_CUBIC if self.scale > 1 else cv2.INTER_AREA
        made = cv2.resize(made, None, fx=self.scale, fy=self.scale, interpolation=way)
        return np.asarray(cv2.convertScaleAbs(made, alpha=self.light), np.uint8)


class PhotoSet:
    """Photos 0, 1, 2, … without end."""

    def __init__(self, source: PictureSource, first: Sequence[int], seed: int) -> None:
        """first: pictures that come before the others: of the people who are searched for."""
        self._source = source
        self._seed = seed
        # A dictionary keeps the order and each picture once.
        self._order: list[int] = list(dict.fromkeys([*first, *range(len(source))]))

    def person(self, number: int) -> str:
        """Whom a photo shows."""
        return self._source.person(self._picture(number))

    def photo(self, number: int) -> bytes:
        """JPEG, PNG or WebP."""
        picture, round_ = self._picture(number), number // len(self._order)
        if not round_:
            return self._source.encoded(picture)
        variant = Variant.of(self._seed, picture, round_)
        encoded = jpeg_of(variant.apply(self._source.picture(picture)), variant.quality)
        # Dark pictures can come out alike however they were lit.
        return copy_of(encoded, number)

    def _picture(self, number: int) -> int:
        return self._order[number % len(self._order)]


def jpeg_of(picture: Picture, quality: int = 92) -> bytes:
    """The picture as a JPEG."""
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV cannot write a JPEG")
    return encoded.tobytes()
