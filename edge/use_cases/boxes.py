"""Rectangles: overlap, and which face a person meant by one. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from storage.records.model import Box

FaceT = TypeVar("FaceT")


def iou(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)


def best_match(
    box: Box, faces: Iterable[FaceT], box_of: Callable[[FaceT], Box], minimum_iou: float
) -> FaceT | None:
    """The face whose box overlaps `box` most, the first of equals; None below `minimum_iou`."""
    best: FaceT | None = None
    best_iou = 0.0
    for face in faces:
        overlap = iou(box, box_of(face))
        if overlap >= minimum_iou and overlap > best_iou:
            best, best_iou = face, overlap
    return best


def holds_centre(box: Box, other: Box) -> bool:
    """Whether the centre of `other` lies in `box`."""
    x, y = other.x + other.width / 2, other.y + other.height / 2
    return box.x <= x <= box.x + box.width and box.y <= y <= box.y + box.height


def grown(box: Box, fraction: float) -> Box:
    """The box with `fraction` of its longer side added on each side."""
    margin = fraction * max(box.width, box.height)
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)


def is_sound(box: Box) -> bool:
    """Whether all figures are finite and the box has an area."""
    figures = (box.x, box.y, box.width, box.height)
    return all(math.isfinite(figure) for figure in figures) and box.width > 0 and box.height > 0


def overlaps_photo(box: Box, width: int, height: int) -> bool:
    """Whether part of the box lies on a photo of that size."""
    return box.x < width and box.y < height and box.x + box.width > 0 and box.y + box.height > 0
