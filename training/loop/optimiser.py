"""The optimiser of every training here."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def adamw(parameters: Iterable[nn.Parameter], rate: float, decay: float) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) of those that are trained.

    decay: of matrices and kernels; norms and biases have none.
    """
    trained = [one for one in parameters if one.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [one for one in trained if one.ndim > 1], "weight_decay": decay},
            {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=rate,
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate
