"""What a threshold means for a base of N faces. Pure.

Each search compares a selfie with all N faces, so about FMR × N strangers' faces pass. A pack that
lets one pair in a million through shows a stranger in every search of a base of a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.evaluation.verification import (
    AllPairs,
    OperatingPoint,
    ThresholdFigures,
    at_thresholds,
    operating_point,
)

GRID = tuple(round(0.10 + 0.02 * step, 2) for step in range(26))
"""Cosine similarity, 0.10 to 0.60."""

BASES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Faces in a base."""

STRANGERS_A_SEARCH = 0.1
"""False hits that are thought bearable: one in ten searches shows one."""


@dataclass(frozen=True, slots=True)
class FalseHits:
    """Strangers' faces that a search of a base is expected to show."""

    expected: float
    is_bound: bool
    """Whether it is fewer than that, because no impostor pair was let through."""
    is_rough: bool
    """Whether it rests on fewer than 30 events."""


@dataclass(frozen=True, slots=True)
class ThresholdForBase:
    """The threshold that keeps strangers rare in a base of so many faces."""

    faces: int
    fmr: float
    """The highest one may be."""
    point: OperatingPoint | None
    """None: there are too few impostor pairs to tell."""


def threshold_figures(pairs: AllPairs) -> Sequence[ThresholdFigures]:
    """The grid. Raises ValueError if there are no genuine or no impostor pairs."""
    return at_thresholds(pairs, GRID)


def false_hits(figures: ThresholdFigures, faces: int) -> FalseHits:
    """About FMR × N, N strangers' faces in the base; the bound where no FMR was measured."""
    rate = figures.fmr_bound if figures.fmr is None else figures.fmr
    return FalseHits(rate * faces, figures.fmr is None, figures.is_rough)


def threshold_for(pairs: AllPairs, faces: int) -> ThresholdForBase:
    """The lowest threshold at which at most STRANGERS_A_SEARCH false hits are expected.

    Raises ValueError if there are no genuine or no impostor pairs.
    """
    fmr = STRANGERS_A_SEARCH / faces
    # Less than one pair: where the threshold would lie is nothing that was seen.
    is_measured = fmr * pairs.impostors >= 1
    return ThresholdForBase(faces, fmr, operating_point(pairs, fmr) if is_measured else None)
