"""Where a detector sees faces that are none: what it learns most from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.pipeline.faces import Detections, FloatArray, Photo, Pixels
from inference.pipeline.letterbox import DetectorInput, letterbox
from training.data.store import PreparedSet

MIN_SCORE = 0.2
"""From which a part of a background counts as a near miss; the server's limit is 0.5."""
LOOKS = (160, 320, 640)
CUTS = (2.2, 1.6, 1.2)
"""Sides of what is cut out around a near miss, in its own; the largest one without a face."""
MOST_A_PHOTO = 12

Detect = Callable[[DetectorInput, float], Detections]
"""Faces of one letterboxed image from a score on, in the pixels of its photo."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A part of a background."""

    photo: int
    """Its number."""
    x: float
    y: float
    """Its centre, in pixels of the photo."""
    side: float
    """Its longer side, in pixels of the photo."""
    scale: float
    """Pixels of the look in which it was seen, for one of the photo."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A near miss on a photo of people, cut out: clothes, hands, hair, letters."""

    pixels: Pixels
    scale: float
    """Pixels of the look in which it was seen, for one of the photo."""


def near_misses(
    detect: Detect, photos: Sequence[Pixels], advance: Callable[[], None] = lambda: None
) -> Sequence[NearMiss]:
    """What a detector takes for faces, or nearly, on photos that show none."""
    found: list[NearMiss] = []
    for number, pixels in enumerate(photos):
        photo = Photo(pixels, width=pixels.shape[1], height=pixels.shape[0])
        for size in LOOKS:
            found += _of(detect, letterbox(photo, size), number)
        advance()
    return found


def _of(detect: Detect, look: DetectorInput, number: int) -> Iterable[NearMiss]:
    seen = detect(look, MIN_SCORE)  # best first
    for x1, y1, x2, y2 in seen.boxes[:MOST_A_PHOTO].tolist():
        yield NearMiss(number, (x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1), look.scale)


def patches(
    detect: Detect,
    one: PreparedSet,
    images: Iterable[int],
    advance: Callable[[], None] = lambda: None,
) -> Sequence[Patch]:
    """What a detector takes for faces, or nearly, where the teacher sees none, however faint."""
    found: list[Patch] = []
    for image in images:
        pixels, faces = one.image(image), one.faces_of(image).boxes
        photo = Photo(pixels, width=pixels.shape[1], height=pixels.shape[0])
        for size in LOOKS:
            for miss in _of(detect, letterbox(photo, size), image):
                cut = _cut(pixels, faces, miss)
                if cut is not None:
                    found.append(Patch(cut, miss.scale))
        advance()
    return found


def _cut(pixels: Pixels, faces: FloatArray, miss: NearMiss) -> Pixels | None:
    height, width = pixels.shape[:2]
    for times in CUTS:
        half = miss.side * times / 2
        low = np.maximum(np.floor([miss.x - half, miss.y - half]), 0)
        high = np.minimum(np.ceil([miss.x + half, miss.y + half]), [width, height])
        apart = (faces[:, :2] >= high).any(1) | (faces[:, 2:] <= low).any(1)
        if apart.all() and (high - low >= 4).all():
            (left, top), (right, bottom) = low.astype(int), high.astype(int)
            return pixels[top:bottom, left:right].copy()
    return None
