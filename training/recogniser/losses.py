"""What the student is asked for: the teacher's directions, its similarities, and names apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def direction_loss(projected: Tensor, teacher: Tensor) -> Tensor:
    """1 − cosine between the student's projected embeddings and the teacher's, (n, d) each."""
    return 1 - functional.cosine_similarity(projected, teacher).mean()


UNKNOWN = -1
"""Identity of a face between two."""
APART = 0.2
"""Most that two people may be alike, whatever the teacher says …"""
PERHAPS_ONE = 0.65
"""… unless it is so sure that they may be one, named differently or not at all."""
TOGETHER = 0.45
"""Least that two images of one person are alike."""


def similarity_loss(student: Tensor, teacher: Tensor, identities: Tensor) -> Tensor:
    """Mean squared difference of the student's similarities from the teacher's, put right.

    student: (n, 512), teacher: (n, d); d does not matter, so this teaches all 512 numbers.
    identities: (n,), as of `put_right`.
    """
    own, its = functional.normalize(student), functional.normalize(teacher)
    return functional.mse_loss(own @ own.T, put_right(its @ its.T, identities))


def put_right(similarities: Tensor, identities: Tensor) -> Tensor:
    """The teacher's similarities (n, n) where it does not confuse people known to be two.

    identities: (n,), equal for one person, UNKNOWN where it cannot be said. The teacher takes most
    small children for one another: 69 % of UTKFace's pairs up to five years pass where one in a
    thousand of LFW's does.
    """
    known = identities != UNKNOWN
    both = known[:, None] & known[None, :]
    same = identities[:, None] == identities[None, :]
    apart = both & ~same & (similarities < PERHAPS_ONE)
    right = torch.where(apart, similarities.clamp(max=APART), similarities)
    return torch.where(both & same, right.clamp(min=TOGETHER), right)


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
