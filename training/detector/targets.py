"""Which anchors answer for which face: ATSS (Zhang et al. 2020), as SCRFD has it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from inference.models.graphs import ANCHORS_PER_CELL, STRIDES
from inference.pipeline.boxes import anchors

ANCHOR_SIDES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
"""Pixels of the two anchors of each stride."""
NEAREST = 9
"""Candidates of each stride for a face."""
NEGATIVE, IGNORED = -1, -2


@dataclass(frozen=True, slots=True)
class Grid:
    """All anchors of a square input."""

    points: Tensor
    """(a, 2): x and y in pixels, as decoding has them."""
    strides: Tensor
    """(a,)."""
    sides: Tensor
    """(a,)."""
    levels: tuple[int, ...]
    """How many anchors each stride has."""


@lru_cache(maxsize=16)
def grid(size: int) -> Grid:
    """The anchors of an input of `size` pixels, in the order of the network's rows."""
    points = [torch.from_numpy(anchors(size, s, ANCHORS_PER_CELL).copy()) for s in STRIDES]
    levels = tuple(map(len, points))
    return Grid(
        points=torch.cat(points),
        strides=torch.cat(
            [torch.full((n,), float(s)) for n, s in zip(levels, STRIDES, strict=True)]
        ),
        sides=torch.cat(
            [
                torch.tensor(pair).repeat(n // ANCHORS_PER_CELL)
                for n, pair in zip(levels, ANCHOR_SIDES, strict=True)
            ]
        ),
        levels=levels,
    )


def assign(where: Grid, boxes: Tensor, ignored: Tensor) -> Tensor:
    """The face of each anchor: its number, or NEGATIVE, or IGNORED.

    boxes: (f, 4) of faces to be found, ignored: (i, 4) of what is neither a face nor none, x1, y1,
    x2, y2 in pixels. Returns (anchors,), int64. Every face gets at least one anchor.
    """
    answer = torch.full((len(where.points),), NEGATIVE, dtype=torch.int64)
    if len(ignored):
        answer[_inside(where.points, ignored).any(dim=1)] = IGNORED
    if not len(boxes):
        return answer
    half = where.sides[:, None] / 2
    overlap = iou(torch.cat([where.points - half, where.points + half], 1), boxes)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = torch.cdist(where.points, centres)
    candidate = torch.zeros_like(overlap, dtype=torch.bool)
    first = 0
    for count in where.levels:
        nearest = away[first : first + count].topk(min(NEAREST, count), dim=0, largest=False)
        candidate[first : first + count].scatter_(0, nearest.indices, value=True)
        first += count
    shared = torch.where(candidate, overlap, torch.nan)
    mean = shared.nanmean(dim=0)
    spread = (shared - mean).square().nanmean(dim=0).sqrt()
    positive = candidate & (overlap >= mean + spread) & _inside(where.points, boxes)
    # A face smaller than a cell may hold no anchor point: it takes the nearest that fits best.
    fit = torch.where(candidate, overlap, -1.0) - away / 1e4
    best = fit.argmax(dim=0)
    positive[best, torch.arange(len(boxes))] = True
    score, face = torch.where(positive, overlap + 1e-6, -1.0).max(dim=1)
    answer = torch.where(score > 0, face, answer)
    answer[best] = torch.arange(len(boxes))
    return answer


def iou(ones: Tensor, others: Tensor) -> Tensor:
    """(n, m) of boxes (n, 4) and (m, 4)."""
    top_left = torch.maximum(ones[:, None, :2], others[None, :, :2])
    bottom_right = torch.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(dim=2)
    areas = [(b[:, 2:] - b[:, :2]).clamp(min=0).prod(dim=1) for b in (ones, others)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clamp(min=1e-6)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """(n, m): whether points (n, 2) lie in boxes (m, 4)."""
    return ((points[:, None] >= boxes[None, :, :2]) & (points[:, None] <= boxes[None, :, 2:])).all(
        2
    )
