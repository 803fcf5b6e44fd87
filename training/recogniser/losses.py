"""What the student is asked for: the teacher's directions, its similarities, and names apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def direction_loss(projected: Tensor, teacher: Tensor) -> Tensor:
    """1 − cosine between the student's projected embeddings and the teacher's, (n, d) each."""
    return 1 - functional.cosine_similarity(projected, teacher).mean()


def similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the two matrices of similarities.

    student: (n, 512), teacher: (n, d); d does not matter, so this teaches all 512 numbers.
    """
    own, its = functional.normalize(student), functional.normalize(teacher)
    return functional.mse_loss(own @ own.T, its @ its.T)


class MarginHead(nn.Module):
    """Classes for people with names: CosFace (Wang et al. 2018), a margin off the right cosine."""

    def __init__(self, people: int, dim: int, scale: float = 24.0, margin: float = 0.2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(people, dim) * 0.01)
        self._scale = scale
        self._margin = margin

    def forward(self, embeddings: Tensor, people: Tensor) -> Tensor:
        """The loss of embeddings (n, dim) of people (n,); those below 0 have no name, no say."""
        known = people >= 0
        if not bool(known.any()):
            return embeddings.sum() * 0
        rows = functional.normalize(embeddings[known])
        cosines = rows @ functional.normalize(self.weight).T
        right = functional.one_hot(people[known], len(self.weight))
        return functional.cross_entropy(
            self._scale * (cosines - self._margin * right), people[known]
        )
