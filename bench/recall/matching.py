"""Which of the faces that are there were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.recall.samples import Box, Sample

MIN_IOU = 0.4
MAX_LEAN = 45.0
"""Degrees between how a face stands and how its landmarks do: beyond, its embedding is nobody's."""


@dataclass(frozen=True, slots=True)
class Found:
    """A face that somebody saw."""

    box: Box
    landmarks: NDArray[np.float32]
    """(5, 2), in the frame of the file."""


def recalled(sample: Sample, width: int, height: int, found: Sequence[Found]) -> int:
    """How many of the faces of a photo of width × height pixels were found."""
    useful = [one for one in found if _stands(one, sample.lean)]
    if not sample.boxes:
        return min(len(useful), sample.count)
    left = [_clipped(one.box, width, height) for one in useful]
    count = 0
    for box in sample.boxes:
        there = _clipped(box, width, height)
        best = max(left, key=lambda one: iou(one, there), default=None)
        if best is not None and iou(best, there) >= MIN_IOU:
            left.remove(best)
            count += 1
    return count


def iou(one: Box, other: Box) -> float:
    """Of two boxes with extents."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _clipped(box: Box, width: int, height: int) -> Box:
    """What of it lies on the photo; a pixel at least, so that it has an extent."""
    x1, y1 = min(max(box[0], 0.0), width - 1.0), min(max(box[1], 0.0), height - 1.0)
    return x1, y1, max(min(box[2], width), x1 + 1), max(min(box[3], height), y1 + 1)


def _stands(face: Found, lean: float | None) -> bool:
    if lean is None:
        return True
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3:].mean(axis=0)
    across = face.landmarks[1] - face.landmarks[0] + face.landmarks[4] - face.landmarks[3]
    down = 2 * (mouth - eyes)
    angle = np.degrees(np.arctan2(across[1] - down[0], across[0] + down[1]))
    return bool(abs((angle - lean + 180) % 360 - 180) <= MAX_LEAN)
