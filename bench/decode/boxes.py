"""Whether two servers see the same faces at the same places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facesearch.inference.v1 import inference_pb2 as pb


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two sets of answers to the same photos compare."""

    faces: int
    """Found by the other side."""
    lowest_iou: float
    """Over these, with the nearest face of this side; 1 without faces."""
    other_counts: int
    """Photos on which another number of faces counts."""


def agreement(ours: Sequence[pb.ImageResult], others: Sequence[pb.ImageResult]) -> Agreement:
    """Answers to the same photos, in the same order."""
    pairs = list(zip(ours, others, strict=True))
    nearest = [
        max((_iou(face.box, one.box) for one in own.faces), default=0.0)
        for own, other in pairs
        for face in other.faces
    ]
    return Agreement(
        faces=len(nearest),
        lowest_iou=min(nearest, default=1.0),
        other_counts=sum(own.faces_counted != other.faces_counted for own, other in pairs),
    )


def _iou(one: pb.Box, other: pb.Box) -> float:
    right = min(one.x + one.width, other.x + other.width)
    bottom = min(one.y + one.height, other.y + other.height)
    shared = max(right - max(one.x, other.x), 0.0) * max(bottom - max(one.y, other.y), 0.0)
    return shared / (one.width * one.height + other.width * other.height - shared)
