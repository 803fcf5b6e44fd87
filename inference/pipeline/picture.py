"""A photo on its way through the stages: its file, and pixels as fine as they are needed.

Looks and crops take few pixels with a linear interpolation, so they start from a level of the
photo that is near to their own size: smooth, where a large photo would give them aliasing. (First
looks at 160² of photos of one to ten megapixels gave embeddings at a mean cosine of 0.94 to 0.95 to
those of a 640² look, from the full pixels 0.92 to 0.93.) Levels come from the decoder, which spares
time, or from the pixels of a finer one; which of both cannot be seen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from inference.pipeline.align import crop_scale, crop_transform, cut
from inference.pipeline.decode import REDUCTIONS, Encoded, decode_at, in_srgb, open_file
from inference.pipeline.faces import CROP_SIZE, FloatArray, Header, Photo, Pixels, Region
from inference.pipeline.letterbox import DetectorInput, letterbox, part_of

LOOK_DETAIL = 1.5
"""Pixels of a level per pixel of a look, at least."""
CROP_DETAIL = 2.0
"""Pixels of a level per pixel of a crop: the coarsest level that has as many is taken. At 1 crops
are visibly smoother than those of a full decode (sharpness lower by 0.12 in the median), at 2 they
are not (0.00)."""
SMALL_PHOTO = 640
"""Pixels of the longer side: up to here nothing is to be won, and a photo has one level only."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How finely a photo is decoded at first.

    To read a JPEG takes half as long as to decode it in full, at whatever reduction. So a second
    decode for small faces costs more than the first one saved: it must be rare.
    """

    look: int
    """Size of the largest look that will be taken, in pixels."""
    face_fraction: float
    """Longer side of a face, of the photo's longer side, that must not need a second decode."""
    crop: float = CROP_DETAIL
    """Pixels of a level per pixel of its crop, at least."""

    @property
    def longer_side(self) -> float:
        """Pixels that the longer side must have at least."""
        return max(LOOK_DETAIL * self.look, self.crop * CROP_SIZE / self.face_fraction)


class Picture:
    """The pixels of one photo, as fine as they are needed. For one thread at a time."""

    def __init__(self, data: bytes, header: Header, *, may_reduce: bool = True) -> None:
        """Touches nothing yet; every method and property raises InvalidImage and ImageTooLarge.

        header: what `read_header` says of `data`. may_reduce: False decodes in full, always.
        """
        self._data = data
        self.header = header
        self._may_reduce = may_reduce
        self._levels: dict[int, Photo] = {}
        self.decode_seconds = 0.0
        """Spent on decoding so far."""

    @property
    def width(self) -> int:
        """Of the photo frame, in pixels."""
        return self._encoded.size[0]

    @property
    def height(self) -> int:
        """Of the photo frame, in pixels."""
        return self._encoded.size[1]

    def inputs(
        self, sizes: Sequence[int], detail: Detail, region: Region | None = None
    ) -> list[DetectorInput]:
        """The photo, or a region of it, as looks of these sizes want it.

        Raises InvalidRegion if it does not overlap the photo.
        """
        side = part_of(self.width, self.height, region).longer_side
        self._decode(side / detail.longer_side)
        return [letterbox(self._level(side / (LOOK_DETAIL * size)), size, region) for size in sizes]

    def crops(
        self, faces: Sequence[FloatArray], details: Sequence[float] | None = None
    ) -> list[Pixels]:
        """The aligned crops of faces, (112, 112, 3) each.

        faces: landmarks (5, 2) in the photo frame. details: of each, how many pixels of a level per
        pixel of its crop will do where no more are held; 0: any. None: `CROP_DETAIL` for all.
        Raises InvalidLandmarks.
        """
        placed = [crop_transform(face) for face in faces]
        reductions = [1 / max(crop_scale(to_crop), 1e-6) for to_crop in placed]
        least = details or [CROP_DETAIL] * len(faces)
        if faces:
            self._decode(
                min(most / max(one, 1e-6) for most, one in zip(reductions, least, strict=True))
            )
        return [
            cut(self._level(most / CROP_DETAIL), to_crop)
            for to_crop, most in zip(placed, reductions, strict=True)
        ]

    def release(self) -> None:
        """Let go of all pixels; whoever asks again has them decoded again."""
        self._levels.clear()

    @cached_property
    def _encoded(self) -> Encoded:
        return open_file(self._data, self.header)

    @property
    def _is_small(self) -> bool:
        return max(self.width, self.height) <= SMALL_PHOTO

    def _decode(self, most: float) -> None:
        """Make sure that no level up to a reduction of `most` has to be made of a coarser one."""
        reduction = self._encoded.coarsest(self._rounded(most)) if self._may_reduce else 1
        if any(held <= reduction for held in self._levels):
            return
        started = time.perf_counter()
        photo = decode_at(self._encoded, reduction)
        self._levels[reduction] = in_srgb(photo) if self._is_small else photo
        self.decode_seconds += time.perf_counter() - started

    def _level(self, most: float) -> Photo:
        """The photo at the greatest reduction up to `most`, or else the finest that is held."""
        wanted = self._rounded(most)
        enough = [held for held in self._levels if held <= wanted]
        level = self._levels[max(enough) if enough else min(self._levels)]
        while level.reduction < wanted and min(level.pixels.shape[:2]) > 1:
            level = halved(level)
            self._levels[level.reduction] = level
        return level

    def _rounded(self, most: float) -> int:
        if self._is_small:
            return 1
        return next((reduction for reduction in REDUCTIONS if reduction <= most), 1)


def halved(photo: Photo) -> Photo:
    """The next coarser level: means of 2×2 pixels; an odd last column or row is left out."""
    height, width = photo.pixels.shape[0] // 2, photo.pixels.shape[1] // 2
    whole = photo.pixels[: 2 * height, : 2 * width]
    pixels = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    return replace(photo, pixels=np.asarray(pixels, dtype=np.uint8), reduction=2 * photo.reduction)
