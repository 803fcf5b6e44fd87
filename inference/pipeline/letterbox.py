"""A photo, or a part of it, as the detector wants it: square, top left, zeros around."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from inference.errors import InvalidRegion
from inference.pipeline.faces import FloatArray, Photo, Pixels, Region
from inference.pipeline.turns import turned, turned_back


@dataclass(frozen=True, slots=True)
class DetectorInput:
    """One image as the detector wants it, and the way back to the photo."""

    pixels: Pixels
    """(size, size, 3), RGB."""
    scale: float
    """Input pixels per pixel of the photo frame."""
    left: float
    """Where the input's left edge lies in the photo frame, in pixels."""
    top: float
    turn: int = 0
    """Degrees clockwise that the pixels were turned by."""

    @property
    def size(self) -> int:
        """Pixels a side."""
        return int(self.pixels.shape[0])

    def to_photo(self, points: FloatArray) -> FloatArray:
        """Points (…, 2) of the input in the photo frame."""
        # The photo's last column is one pixel of the photo from the end, not one of the input: with
        # that, the points of a face are the same whichever way its photo is stored.
        as_it_was = turned_back(points, self.turn, self.size - self.scale)
        in_part = as_it_was / np.float32(self.scale)
        if not (self.left or self.top):
            return in_part
        return in_part + np.array([self.left, self.top], dtype=np.float32)

    def boxes_to_photo(self, boxes: FloatArray) -> FloatArray:
        """Boxes (n, 4) of the input in the photo frame, x1, y1, x2, y2 again."""
        corners = self.to_photo(boxes.reshape(-1, 2, 2))
        if self.turn:
            corners = np.stack([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return corners.reshape(-1, 4)

    def turned_by(self, turn: int) -> DetectorInput:
        """The same, as it is, looked at after a turn."""
        return replace(self, pixels=turned(self.pixels, turn), turn=turn) if turn else self


def letterbox(photo: Photo, size: int, region: Region | None = None) -> DetectorInput:
    """Scale a photo, or a region of it, into a square of `size` pixels.

    Small ones are scaled up, and the interpolation is linear without a filter, both as InsightFace
    does it (``SCRFD._detect_candidates``), so that scores are comparable. Where a point of the
    photo lands does not depend on the reduction it was decoded at. region: in the photo frame;
    None: the whole photo. Raises InvalidRegion if it does not overlap the photo.
    """
    part = part_of(photo.width, photo.height, region)
    if part.height > part.width:
        new_height, new_width = size, max(1, int(size / (part.height / part.width)))
    else:
        new_width, new_height = size, max(1, int(size * (part.height / part.width)))
    pixels = np.zeros((size, size, 3), dtype=np.uint8)
    inside = pixels[:new_height, :new_width]
    _resample(photo, part, inside)
    if photo.to_srgb is not None:
        inside[:] = photo.to_srgb(np.ascontiguousarray(inside))
    return DetectorInput(
        pixels=pixels,
        # Going by the height alone is off by up to 1 / (short side of the input) across, but it is
        # what InsightFace does, and crops of large faces are sensitive to half a pixel: with both
        # axes exact the embeddings of the test photos were as far as 0.954 (cosine) from its own.
        scale=new_height / part.height,
        left=part.left,
        top=part.top,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of whole pixels of the photo frame."""

    left: int
    top: int
    width: int
    height: int

    @property
    def longer_side(self) -> int:
        """In pixels."""
        return max(self.width, self.height)


def part_of(width: int, height: int, region: Region | None) -> Part:
    """The pixels of a region, widened to whole ones, of a photo; without a region all of them.

    Raises InvalidRegion if it does not overlap the photo.
    """
    if region is None:
        return Part(0, 0, width, height)
    values = (region.x, region.y, region.width, region.height)
    if not all(map(math.isfinite, values)) or region.width <= 0 or region.height <= 0:
        raise InvalidRegion("the region is not a rectangle of positive width and height")
    x1, y1 = max(0, math.floor(region.x)), max(0, math.floor(region.y))
    x2 = min(width, math.ceil(region.x + region.width))
    y2 = min(height, math.ceil(region.y + region.height))
    if x1 >= x2 or y1 >= y2:
        raise InvalidRegion(f"the region does not overlap the photo of {width}×{height} pixels")
    return Part(x1, y1, x2 - x1, y2 - y1)


def _resample(photo: Photo, part: Part, into: Pixels) -> None:
    """Fill `into`, (height, width, 3), with a part of the photo."""
    height, width = into.shape[:2]
    if photo.reduction == 1:
        right, bottom = part.left + part.width, part.top + part.height
        cv2.resize(photo.pixels[part.top : bottom, part.left : right], (width, height), dst=into)
        return
    # The same mapping: a resize goes from edge to edge, and held pixels may reach over the photo's.
    across = part.width / width / photo.reduction
    down = part.height / height / photo.reduction
    to_held = np.array(
        [
            [across, 0, across / 2 + part.left / photo.reduction - 0.5],
            [0, down, down / 2 + part.top / photo.reduction - 0.5],
        ]
    )
    cv2.warpAffine(
        photo.pixels,
        to_held,
        (width, height),
        dst=into,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
