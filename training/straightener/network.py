"""How a crop must be moved to lie where the template wants it, and the crop so moved.

A spatial transformer (Jaderberg et al. 2015): the landmarks of a fast detector are a few per cent
of the face off, and an aligned crop shows by itself where its eyes and mouth are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.pipeline.faces import CROP_SIZE
from training.recogniser.network import Activated, Recogniser, Residual

STRAIGHTENER = "straightener"
"""Where a recogniser's checkpoint has the weights of the one before it, if it has one."""
MOVES = 4
"""Numbers of a similarity: scale · cos − 1, scale · sin, shift right, shift down."""
FURTHEST = 0.3
"""Of each number: what is further off is no crop of a face, and is moved no further."""
_HALF = (CROP_SIZE - 1) / 2


class Straightener(nn.Module):
    """A crop → the similarity that leads from places in the straight crop to places in it."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Activated(3, 12, 2),
            Activated(12, 16, 2),
            Residual(16),
            Activated(16, 24, 2),
            Residual(24),
            Activated(24, 32, 2),
        )
        self.places = nn.Conv2d(32, 32, 7, groups=32)
        self.moves = nn.Linear(32, MOVES)
        nn.init.normal_(self.moves.weight, std=0.01)
        nn.init.zeros_(self.moves.bias)
        # −1 and 1 are the centres of the outermost pixels.
        line = torch.linspace(-1, 1, CROP_SIZE)
        self.register_buffer("across", line[None, None, :], persistent=False)
        self.register_buffer("down", line[None, :, None], persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112), RGB in −1…1 → (n, MOVES); shifts in halves of the crop."""
        features = self.places(self.features(crops)).flatten(1)
        moves: Tensor = self.moves(features).clamp(-FURTHEST, FURTHEST)
        return moves

    def straight(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) → the same crops, moved."""
        cosine, sine, right, below = (one[:, None, None] for one in self(crops).unbind(1))
        across, down = self.get_buffer("across"), self.get_buffer("down")
        # By line and by column first: one sum a pixel is left, where sampling already costs most.
        x = (across * (1 + cosine) + right) - down * sine
        y = across * sine + (down * (1 + cosine) + below)
        return functional.grid_sample(
            crops,
            torch.stack([x, y], dim=-1),
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )


class StraightRecogniser(nn.Module):
    """Embeds crops after it has put them straight: rec.onnx as a whole."""

    def __init__(self, straightener: Straightener, recogniser: Recogniser) -> None:
        super().__init__()
        self.straightener = straightener
        self.recogniser = recogniser

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) → (n, 512)."""
        embedding: Tensor = self.recogniser(self.straightener.straight(crops))
        return embedding


def behind(
    straightener: Straightener | None, recogniser: Recogniser
) -> Recogniser | StraightRecogniser:
    """The recogniser with the straightener before it, if there is one."""
    return recogniser if straightener is None else StraightRecogniser(straightener, recogniser)


def moved(points: Tensor, moves: Tensor) -> Tensor:
    """Points (p, 2) of the straight crop, in its pixels → (n, p, 2) where the crops show them."""
    x, y = ((points - _HALF) / _HALF).T
    cosine, sine, right, below = (one[:, None] for one in moves.unbind(1))
    across = x * (1 + cosine) - y * sine + right
    down = x * sine + y * (1 + cosine) + below
    return torch.stack([across, down], dim=-1) * _HALF + _HALF
