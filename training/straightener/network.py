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
        line, spread, unmoved = _grid()
        self.register_buffer("down", line[:, None], persistent=False)
        self.register_buffer("spread", spread, persistent=False)
        self.register_buffer("unmoved", unmoved, persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112), RGB in −1…1 → (n, MOVES); shifts in halves of the crop."""
        features = self.places(self.features(crops)).flatten(1)
        moves: Tensor = self.moves(features).clamp(-FURTHEST, FURTHEST)
        return moves

    def straight(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) → the same crops, moved."""
        spread, unmoved = self.get_buffer("spread"), self.get_buffer("unmoved")
        rows = functional.linear(self(crops), spread, unmoved)[:, None]
        of_columns, of_rows = torch.split(rows, 2 * CROP_SIZE, dim=2)
        # One sum a pixel is left, where sampling already costs most.
        places = of_columns + self.get_buffer("down") * of_rows
        return functional.grid_sample(
            crops,
            places.reshape(-1, CROP_SIZE, CROP_SIZE, 2),
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )


def _grid() -> tuple[Tensor, Tensor, Tensor]:
    """A line of pixels (112,), and what makes places of a similarity: (448, MOVES) and (448,).

    The first half, x and y of 112 columns in turns, is added to each row, the second times the
    row's place. In turns, for runtimes are slow at putting x and y together.
    """
    # −1 and 1 are the centres of the outermost pixels.
    line = torch.linspace(-1, 1, CROP_SIZE)
    spread, unmoved = torch.zeros(2, CROP_SIZE, 2, MOVES), torch.zeros(2, CROP_SIZE, 2)
    cosine, sine, right, below = range(MOVES)
    columns, rows = spread
    columns[:, 0, cosine], columns[:, 1, sine] = line, line
    columns[:, 0, right], columns[:, 1, below] = 1, 1
    rows[:, 0, sine], rows[:, 1, cosine] = -1, 1
    unmoved[0, :, 0], unmoved[1, :, 1] = line, 1
    return line, spread.reshape(-1, MOVES), unmoved.reshape(-1)


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
