"""A photo, or a part of it, as the detector wants it: square, top left, zeros around."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from inference.errors import InvalidRegion
from inference.pipeline.faces import FloatArray, Photo, Pixels, Region


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

    @property
    def size(self) -> int:
        """Pixels a side."""
        return int(self.pixels.shape[0])

    def to_photo(self, points: FloatArray) -> FloatArray:
        """Points (…, 2) of the input in the photo frame."""
        origin = np.array([self.left, self.top], dtype=np.float32)
        return points / np.float32(self.scale) + origin


def letterbox(photo: Photo, size: int, region: Region | None = None) -> DetectorInput:
    """Scale a photo, or a region of it, into a square of `size` pixels.

    Small ones are scaled up, and the interpolation is linear without a filter, both as InsightFace
    does it (``SCRFD._detect_candidates``), so that scores are comparable. region: in the photo
    frame; None: the whole photo. Raises InvalidRegion if it does not overlap the photo.
    """
    part, left, top = (photo.pixels, 0, 0) if region is None else _part(photo, region)
    height, width = part.shape[:2]
    if height > width:
        new_height, new_width = size, max(1, int(size / (height / width)))
    else:
        new_width, new_height = size, max(1, int(size * (height / width)))
    pixels = np.zeros((size, size, 3), dtype=np.uint8)
    pixels[:new_height, :new_width] = cv2.resize(part, (new_width, new_height))
    return DetectorInput(
        pixels=pixels,
        # Going by the height alone is off by up to 1 / (short side of the input) across, but it is
        # what InsightFace does, and crops of large faces are sensitive to half a pixel: with both
        # axes exact the embeddings of the test photos were as far as 0.954 (cosine) from its own.
        scale=new_height / height * photo.scale,
        left=left / photo.scale,
        top=top / photo.scale,
    )


def _part(photo: Photo, region: Region) -> tuple[Pixels, int, int]:
    """The pixels of a region, widened to whole ones, with its left and top edge among them."""
    values = (region.x, region.y, region.width, region.height)
    if not all(map(math.isfinite, values)) or region.width <= 0 or region.height <= 0:
        raise InvalidRegion("the region is not a rectangle of positive width and height")
    held_height, held_width = photo.pixels.shape[:2]
    x1 = max(0, math.floor(region.x * photo.scale))
    y1 = max(0, math.floor(region.y * photo.scale))
    x2 = min(held_width, math.ceil((region.x + region.width) * photo.scale))
    y2 = min(held_height, math.ceil((region.y + region.height) * photo.scale))
    if x1 >= x2 or y1 >= y2:
        raise InvalidRegion(
            f"the region does not overlap the photo of {photo.width}×{photo.height} pixels"
        )
    return photo.pixels[y1:y2, x1:x2], x1, y1
