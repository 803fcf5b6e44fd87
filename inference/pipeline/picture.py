"""A photo on its way through the stages: its file, and the finest pixels that were needed so far.

Large JPEGs are decoded with one pixel for 4, 16 or 64, which spares what has to be done for every
pixel; to read the file, about half of a full decode, is spared by nothing. So a second decode for
small faces costs more than the first one saved, and the first one is fine enough for the faces
that are likely.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from inference.pipeline.align import align, crop_scale
from inference.pipeline.decode import Encoded, decode_at, open_file
from inference.pipeline.faces import CROP_SIZE, FloatArray, Header, Photo, Pixels, Region
from inference.pipeline.letterbox import DetectorInput, letterbox, part_of

LOOK_DETAIL = 2.0
"""Held pixels per pixel of a look, at least. At 1 the boxes of small faces came as far as IoU 0.92
from those of a full decode, at 2 as far as 0.96 (12-megapixel groups, 320² look)."""
CROP_DETAIL = 2.0
"""Held pixels per pixel of a crop, at least. At 1 a crop is visibly smoother than one from a full
decode (sharpness lower by 0.12 in the median), at 2 within the noise (0.00)."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How finely a photo is decoded at first."""

    look: int
    """Size of the largest look that will be taken, in pixels."""
    face_fraction: float
    """Longer side of a face, of the photo's longer side, that must not need a second decode."""

    @property
    def longer_side(self) -> float:
        """Pixels that the longer side must have at least."""
        return max(LOOK_DETAIL * self.look, CROP_DETAIL * CROP_SIZE / self.face_fraction)


class Picture:
    """The pixels of one photo, as fine as they are needed. For one thread at a time."""

    def __init__(self, data: bytes, header: Header, *, may_reduce: bool = True) -> None:
        """Touches nothing yet; every method and property raises InvalidImage and ImageTooLarge.

        header: what `read_header` says of `data`. may_reduce: False decodes in full, always.
        """
        self._data = data
        self.header = header
        self._may_reduce = may_reduce
        self._held: Photo | None = None
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
        part = part_of(self.width, self.height, region)
        photo = self._photo(part.longer_side / detail.longer_side)
        return [letterbox(photo, size, region) for size in sizes]

    def crops(self, faces: Sequence[FloatArray]) -> list[Pixels]:
        """The aligned crops of faces, (112, 112, 3) each.

        faces: landmarks (5, 2) in the photo frame. Raises InvalidLandmarks.
        """
        if not faces:
            return []
        largest_scale = max(crop_scale(landmarks) for landmarks in faces)
        photo = self._photo(1 / max(CROP_DETAIL * largest_scale, 1e-6))
        return [align(photo, landmarks) for landmarks in faces]

    @cached_property
    def _encoded(self) -> Encoded:
        return open_file(self._data, self.header)

    def _photo(self, most: float) -> Photo:
        """The pixels held if their reduction is at most `most` or as small as can be, else finer
        ones, which are held from then on.
        """
        reduction = self._encoded.coarsest(most) if self._may_reduce else 1
        if self._held is None or self._held.reduction > reduction:
            self._held = None  # both at once would be more than was admitted
            started = time.perf_counter()
            self._held = decode_at(self._encoded, reduction)
            self.decode_seconds += time.perf_counter() - started
        return self._held
