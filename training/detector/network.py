"""The detector's network: SCRFD (Guo et al. 2021) in small, with plain convolutions.

RGB as (x − 127.5) / 128 in; for each stride 8, 16, 32 and each of two anchors a cell: a score, the
distances to the edges of the box and the offsets of five landmarks, both in units of the stride.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.models.graphs import ANCHORS_PER_CELL, STRIDES
from training.errors import TrainingError

NUMBERS = (1, 4, 10)
"""Of an anchor: score, distances, landmark offsets."""
PRIOR = 0.02
"""Score of every anchor before training: a low one, else the first steps go into saying no."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels."""

    stem: int = 12
    quarter: int = 16
    eighth: int = 32
    sixteenth: int = 56
    thirty_second: int = 80
    neck: int = 32
    blocks: tuple[int, int, int, int] = (1, 2, 3, 2)
    """Residual blocks at strides 4, 8, 16 and 32."""
    landmark_blocks: int = 2
    """… and before the landmarks of each stride."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the network says of a batch, all strides after one another: cells row by row."""

    logits: Tensor
    """(n, anchors)."""
    distances: Tensor
    """(n, anchors, 4): left, top, right, bottom in units of the stride."""
    offsets: Tensor
    """(n, anchors, 10)."""


def activated(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions beside the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = activated(channels, channels)
        self.b = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → the same shape."""
        return functional.relu(x + self.norm(self.b(self.a(x))))


class Head(nn.Module):
    """Scores, distances and offsets of one stride: from one 3×3 convolution, and for the offsets
    from residual blocks behind it, which begin as nothing.
    """

    def __init__(self, channels: int, landmark_blocks: int = 0) -> None:
        super().__init__()
        self.shared = activated(channels, channels)
        self.landmarks = nn.Sequential(*(Residual(channels) for _ in range(landmark_blocks)))
        self.outputs = nn.ModuleList(
            nn.Conv2d(channels, ANCHORS_PER_CELL * numbers, 1) for numbers in NUMBERS
        )
        score = self.outputs[0]
        assert isinstance(score, nn.Conv2d) and score.bias is not None  # noqa: S101, PT018
        nn.init.normal_(score.weight, std=0.01)
        nn.init.constant_(score.bias, float(torch.logit(torch.tensor(PRIOR))))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, c, h, w) → three of (n, anchors·numbers, h, w)."""
        x = self.shared(x)
        score, box, points = self.outputs
        return [score(x), box(x), points(self.landmarks(x))]

    def of_landmarks(self) -> list[nn.Module]:
        """What nothing but the offsets depends on."""
        return [self.landmarks, self.outputs[2]]


class Detector(nn.Module):
    """Faces of images (n, 3, side, side), side a multiple of 32."""

    def __init__(self, widths: Widths = Widths()) -> None:  # frozen
        super().__init__()
        w = widths
        stages = (w.quarter, w.eighth, w.sixteenth, w.thirty_second)
        self.stem = activated(3, w.stem, 2)
        self.stages = nn.ModuleList(
            nn.Sequential(
                activated(inputs, outputs, 2), *(Residual(outputs) for _ in range(blocks))
            )
            for inputs, outputs, blocks in zip(
                (w.stem, *stages[:-1]), stages, w.blocks, strict=True
            )
        )
        self.lateral = nn.ModuleList(nn.Conv2d(c, w.neck, 1) for c in stages[1:])
        self.smooth = nn.ModuleList(activated(w.neck, w.neck) for _ in STRIDES)
        self.heads = nn.ModuleList(Head(w.neck, w.landmark_blocks) for _ in STRIDES)
        # Distances grow with the face, which strides differ in: one factor each, as in SCRFD. Made
        # positive by softplus: a ReLU has no gradient where a box is inside out at first.
        self.scales = nn.Parameter(torch.full((len(STRIDES),), 2.0))

    def maps(self, images: Tensor) -> list[list[Tensor]]:
        """For each stride the raw maps of its head: logits, log distances, offsets."""
        x = self.stem(images)
        pyramid: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            pyramid.append(x)
        levels = [lateral(x) for lateral, x in zip(self.lateral, pyramid[1:], strict=True)]
        for finer in (1, 0):
            levels[finer] = levels[finer] + functional.interpolate(
                levels[finer + 1], scale_factor=2.0, mode="nearest"
            )
        return [
            head(smooth(level))
            for head, smooth, level in zip(self.heads, self.smooth, levels, strict=True)
        ]

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], widths: Widths = Widths()) -> Self:  # frozen
        """The network that weights are of: with blocks before its landmarks, if they have some."""
        has_blocks = any(".landmarks." in name for name in weights)
        network = cls(widths if has_blocks else replace(widths, landmark_blocks=0))
        network.take(weights)
        return network

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights of a network like this one, or of one without blocks before its landmarks.

        Those blocks, where they are new, change nothing at first.
        """
        missing = self.load_state_dict(weights, strict=False)
        if missing.unexpected_keys or any(".landmarks." not in key for key in missing.missing_keys):
            raise TrainingError("these weights are of another network")

    def forward(self, images: Tensor) -> Rows:
        """The rows of all strides."""
        logits, distances, offsets = [], [], []
        for number, maps in enumerate(self.maps(images)):
            score, box, points = (
                rows_of(one.float(), numbers) for one, numbers in zip(maps, NUMBERS, strict=True)
            )
            logits.append(score.squeeze(-1))
            distances.append(functional.softplus(box * self.scales[number]))
            offsets.append(points * self.scales[number])
        return Rows(torch.cat(logits, 1), torch.cat(distances, 1), torch.cat(offsets, 1))


def rows_of(maps: Tensor, numbers: int) -> Tensor:
    """(n, anchors·numbers, h, w) → (n, h·w·anchors, numbers): cells row by row."""
    return maps.permute(0, 2, 3, 1).reshape(len(maps), -1, numbers)


def to_input(pixels: Tensor) -> Tensor:
    """Images (n, h, w, 3), uint8 → what the network takes."""
    return ((pixels.float() - 127.5) / 128.0).permute(0, 3, 1, 2)
