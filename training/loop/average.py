"""The moving average of a network's weights, which generalises better than the last ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import torch
from torch import nn

NetworkT = TypeVar("NetworkT", bound=nn.Module)

HORIZON = 0.999


def mean_weights(parts: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of networks that were trained on from one another, by name; counters of the last.

    They stand close enough for their mean to be better than each (Wortsman et al. 2022, "Model
    soups").
    """
    last = parts[-1]
    return {
        name: torch.stack([one[name] for one in parts]).mean(dim=0)
        if weights.is_floating_point()
        else weights
        for name, weights in last.items()
    }


class Average(Generic[NetworkT]):
    """A copy of a network that follows it slowly; faster in the first steps."""

    def __init__(self, network: NetworkT) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network by as much as the step allows."""
        towards = 1 - min(HORIZON, (step + 1) / (step + 10))
        for own, its in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if own.is_floating_point():
                own.lerp_(its, towards)
            else:
                own.copy_(its)
