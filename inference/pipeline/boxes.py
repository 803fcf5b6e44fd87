"""Boxes and points as SCRFD writes them, and the suppression of those that mean the same face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inference.pipeline.faces import FloatArray

Indices = NDArray[np.intp]


@lru_cache(maxsize=64)
def anchors(size: int, stride: int, per_cell: int) -> FloatArray:
    """Anchor points of one stride on a square input, in input pixels.

    Returns ((size/stride)²·per_cell, 2), x and y, in the order row, column, anchor; read-only.
    """
    cells = size // stride
    y, x = np.mgrid[:cells, :cells]
    points = np.stack([x, y], axis=-1).astype(np.float32).reshape(-1, 2) * np.float32(stride)
    points = np.repeat(points, per_cell, axis=0)
    points.flags.writeable = False
    return points


def boxes_from_distances(points: FloatArray, distances: FloatArray) -> FloatArray:
    """Boxes (n, 4) as x1, y1, x2, y2 from points (n, 2) and distances (n, 4): l, t, r, b."""
    return np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)


def landmarks_from_distances(points: FloatArray, distances: FloatArray) -> FloatArray:
    """Landmarks (n, 5, 2) from points (n, 2) and offsets (n, 10): x and y of each in turn."""
    return points[:, None, :] + distances.reshape(-1, 5, 2)


def suppress(boxes: FloatArray, scores: FloatArray, max_iou: float) -> Indices:
    """Non-maximum suppression: which boxes stay, best score first.

    boxes: (n, 4) x1, y1, x2, y2 in pixels; scores: (n,). A box goes if its IoU with a better one
    that stays is above `max_iou`. Of equal scores the earlier row wins. Extents count one pixel
    more than their difference, as InsightFace has it (``SCRFD.nms``).
    """
    if len(scores) <= 1:
        return np.arange(len(scores), dtype=np.intp)
    order = np.argsort(-scores, kind="stable")
    extents = np.maximum(boxes[:, 2:] - boxes[:, :2] + 1, 0)
    areas = extents[:, 0] * extents[:, 1]
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        if not rest.size:
            break
        top_left = np.maximum(boxes[best, :2], boxes[rest, :2])
        bottom_right = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared_extents = np.maximum(bottom_right - top_left + 1, 0)
        shared = shared_extents[:, 0] * shared_extents[:, 1]
        order = rest[shared <= max_iou * (areas[best] + areas[rest] - shared)]
    return np.asarray(kept, dtype=np.intp)
