"""The recogniser's network: plain 3×3 convolutions in residual blocks, which CPUs run best.

An image of 112×112, RGB in −1…1, becomes 512 numbers, not of unit length. Plain convolutions with
a batch norm that export folds away take fewer milliseconds per unit of accuracy than depthwise ones
on both CPU runtimes: MobileFaceNet with a third of the multiplications is slower than this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING = 512


@dataclass(frozen=True, slots=True)
class Depths:
    """Residual blocks at 28×28, 14×14 and 7×7 pixels."""

    fine: int = 3
    middle: int = 5
    coarse: int = 4

    @property
    def stages(self) -> tuple[int, int, int]:
        return (self.fine, self.middle, self.coarse)


FIRST_STUDENT = Depths(1, 2, 2)
"""Of the network that a training may start from (student-0)."""


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Activated(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        self.a = convolution(inputs, outputs, stride, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) → (n, outputs, h/stride, w/stride)."""
        return functional.relu(self.a(x), inplace=True)


class Residual(nn.Module):
    """Two 3×3 convolutions beside the input. New ones begin as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = convolution(channels, channels)
        self.b = convolution(channels, channels)
        # With nothing added, relu(x + 0) = x for what comes out of a ReLU: a deeper network begins
        # where a shallower one ended (Goyal et al. 2017 for the zero, Net2Net for the use of it).
        norm = self.b[1]
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.zeros_(norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → the same shape."""
        return functional.relu(x + self.b(functional.relu(self.a(x), inplace=True)))


class Recogniser(nn.Module):
    """112×112 RGB in −1…1 → 512 numbers."""

    def __init__(self, depths: Depths = Depths()) -> None:  # frozen
        super().__init__()
        self.stem = nn.Sequential(Activated(3, 24, 2), Activated(24, 32, 2))
        self.fine = nn.Sequential(*(Residual(32) for _ in range(depths.fine)))
        self.down_middle = Activated(32, 64, 2)
        self.middle = nn.Sequential(*(Residual(64) for _ in range(depths.middle)))
        self.down_coarse = Activated(64, 128, 2)
        self.coarse = nn.Sequential(*(Residual(128) for _ in range(depths.coarse)))
        self.widen = Activated(128, 256, 1, 1)
        # A global depthwise convolution instead of a mean: places of a face are not alike
        # (MobileFaceNet, Chen et al. 2018).
        self.places = nn.Conv2d(256, 256, 7, groups=256, bias=False)
        self.places_norm = nn.BatchNorm2d(256)
        self.project = nn.Linear(256, EMBEDDING, bias=False)
        self.norm = nn.BatchNorm1d(EMBEDDING)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 112, 112) → (n, 512)."""
        x = self.fine(self.stem(x))
        x = self.middle(self.down_middle(x))
        x = self.widen(self.coarse(self.down_coarse(x)))
        embedding: Tensor = self.norm(self.project(self.places_norm(self.places(x)).flatten(1)))
        return embedding


def grown_from_first(state: Mapping[str, Tensor], depths: Depths) -> Recogniser:
    """A network that gives what student-0 gives, with blocks to spare.

    state: of student-0 (`student.pt`). The blocks it has come first in each stage, those it lacks
    are the identity. Raises KeyError if the state is of another network.
    """
    network = Recogniser(depths)
    places = {"f.0": "stem.0.a", "f.1": "stem.1.a"}
    first = 2
    for stage, after, blocks in zip(
        ("fine", "middle", "coarse"),
        ("down_middle.a", "down_coarse.a", "widen.a"),
        FIRST_STUDENT.stages,
        strict=True,
    ):
        for block in range(blocks):
            # Each half of a block was a Sequential of convolution, norm (and ReLU).
            places[f"f.{first + block}"] = f"{stage}.{block}"
        first += blocks
        places[f"f.{first}"] = after
        first += 1
    places |= {"g": "places", "gb": "places_norm", "fc": "project", "bn": "norm"}
    own = network.state_dict()
    for name, value in state.items():
        old = next(key for key in places if name == key or name.startswith(f"{key}."))
        target = places[old] + name[len(old) :]
        if own[target].shape != value.shape:
            raise KeyError(name)
        own[target] = value
    network.load_state_dict(own)
    return network


def to_input(crops: Tensor) -> Tensor:
    """Crops (n, 112, 112, 3), uint8 → what the network takes, (n, 3, 112, 112), channels last."""
    return ((crops.float() - 127.5) / 127.5).permute(0, 3, 1, 2)


@torch.no_grad()
def embed(network: nn.Module, crops: Tensor, at_once: int = 64) -> Tensor:
    """Unit embeddings (n, 512) of crops (n, 112, 112, 3), uint8, in float32."""
    # Each part on its own: what stands before a network in training may not be trained itself.
    modes = {part: part.training for part in network.modules()}
    network.eval()
    parts = [
        functional.normalize(network(to_input(crops[start : start + at_once])))
        for start in range(0, len(crops), at_once)
    ]
    for part, was_training in modes.items():
        part.training = was_training
    return torch.cat(parts)
