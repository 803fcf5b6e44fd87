"""What the detector is asked for, on the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.detector.network import Rows
from training.detector.targets import IGNORED, Grid, assign

BOX_WEIGHT = 2.0
LANDMARK_WEIGHT = 6.0
LANDMARK_BETA = 0.02
"""Of the smooth L1, as a share of the face: beyond it a point is plainly wrong."""
FOCUS = 2.0


@dataclass(frozen=True, slots=True)
class Labels:
    """What one image shows."""

    boxes: Tensor
    """(f, 4): x1, y1, x2, y2 in pixels; may reach over the edges."""
    landmarks: Tensor
    """(f, 5, 2) in pixels."""
    ignored: Tensor
    """(i, 4): too faint, too small or too much cut off to be called a face or none."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one batch."""

    score: Tensor
    box: Tensor
    landmarks: Tensor

    def total(self, landmark_weight: float = LANDMARK_WEIGHT) -> Tensor:
        """What is made small."""
        return self.score + BOX_WEIGHT * self.box + landmark_weight * self.landmarks


def losses(rows: Rows, where: Grid, labels: Sequence[Labels], *, negatives: float = 1.0) -> Losses:
    """Quality focal loss on scores, DIoU on boxes, smooth L1 on landmarks.

    negatives: weight of anchors that show no face. More of it lowers doubtful scores.
    """
    answers = torch.stack([assign(where, one.boxes, one.ignored) for one in labels])
    image, anchor = torch.nonzero(answers >= 0, as_tuple=True)
    quality = torch.zeros_like(rows.logits)
    box = landmarks = rows.logits.sum() * 0
    weight = torch.ones(())
    if len(image):
        firsts = torch.tensor([0, *(len(one.boxes) for one in labels)]).cumsum(0)
        face = firsts[image] + answers[image, anchor]
        true_boxes = torch.cat([one.boxes for one in labels])[face]
        true_points = torch.cat([one.landmarks for one in labels])[face]
        points, strides = where.points[anchor], where.strides[anchor, None]
        distances = rows.distances[image, anchor] * strides
        found = torch.cat([points - distances[:, :2], points + distances[:, 2:]], 1)
        overlap, loss = diou(found, true_boxes)
        # The root lifts scores towards those of the teacher, whose 0.5 is the server's limit: a
        # small network's boxes overlap less, but its faces are as sure.
        goal = overlap.detach().clamp(min=0).sqrt()
        quality[image, anchor] = goal
        share = goal.clamp(min=0.1)
        weight = share.sum()
        box = (loss * share).sum() / weight
        sides = (true_boxes[:, 2:] - true_boxes[:, :2]).amax(1).clamp(min=1.0)[:, None, None]
        guessed = points[:, None] + rows.offsets[image, anchor].view(-1, 5, 2) * strides[:, :, None]
        off = functional.smooth_l1_loss(
            guessed / sides, true_points / sides, beta=LANDMARK_BETA, reduction="none"
        )
        landmarks = (off.mean(dim=(1, 2)) * share).sum() / weight
    probability = rows.logits.sigmoid()
    each = functional.binary_cross_entropy_with_logits(rows.logits, quality, reduction="none")
    each = each * (quality - probability).abs() ** FOCUS
    each = torch.where(quality > 0, each, negatives * each)
    score = (each * (answers != IGNORED)).sum() / weight.clamp(min=1.0)
    return Losses(score, box, landmarks)


def diou(found: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and the DIoU loss (Zheng et al. 2020) of boxes (n, 4), pair by pair."""
    top_left = torch.maximum(found[:, :2], true[:, :2])
    bottom_right = torch.minimum(found[:, 2:], true[:, 2:])
    shared = (bottom_right - top_left).clamp(min=0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).clamp(min=0).prod(1) for b in (found, true)]
    overlap = shared / (areas[0] + areas[1] - shared).clamp(min=1e-6)
    hull = torch.maximum(found[:, 2:], true[:, 2:]) - torch.minimum(found[:, :2], true[:, :2])
    between = (found[:, :2] + found[:, 2:] - true[:, :2] - true[:, 2:]) / 2
    return overlap, 1 - overlap + between.square().sum(1) / hull.square().sum(1).clamp(min=1e-6)
