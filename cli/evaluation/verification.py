"""The figures of face verification, from scores and embeddings. Pure.

Two questions: how often is a pair judged rightly, with the threshold chosen on other pairs (LFW's
own protocol, Huang et al. 2007); and how many genuine pairs are accepted at a threshold that lets
a given share of *all* impostor pairs through (all against all), which is what a search lives on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

BIN_WIDTH = 1e-5
"""Of the impostor histogram, in cosine. float32 products of unit vectors err by about 1e-6."""

RULE_OF_THREE = 3
"""No event in n trials: the rate is below 3/n with 95 % confidence."""

RULE_OF_THIRTY = 30
"""Events that it takes to know a rate to ±30 % with 90 % confidence (Doddington et al. 2000)."""

_BINS = round(2 / BIN_WIDTH) + 1


@dataclass(frozen=True, slots=True)
class Fold:
    """The pairs of one fold."""

    scores: FloatArray
    """(n,) cosine; NaN: an image of the pair shows no face."""
    same: BoolArray
    """(n,) whether the pair shows one person."""


@dataclass(frozen=True, slots=True)
class FoldAccuracy:
    """How often pairs are judged rightly."""

    mean: float
    std: float
    """Standard deviation of the folds' accuracies (of the folds themselves: no n − 1)."""
    standard_error: float | None
    """Of the mean: sample deviation ÷ √folds, as LFW's own tables give it. None with one fold."""
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]
    """For each fold, the one chosen on the others (with one fold: on itself)."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold lets through, all against all."""

    target_fmr: float
    threshold: float
    """The lowest edge of a bin at which no more than the target is let through."""
    fmr: float
    """The share of impostor pairs with a score at or above the threshold."""
    tar: float
    """The share of genuine pairs at or above it."""
    false_matches: int
    """The impostor pairs that are let through: how many events the FMR rests on."""


@dataclass(frozen=True, slots=True)
class ThresholdFigures:
    """What a threshold lets through, all against all, and how far that can be relied on."""

    threshold: float
    false_matches: int
    """Impostor pairs with a score at or above the threshold."""
    impostors: int
    tar: float
    """The share of genuine pairs at or above it."""

    @property
    def fmr(self) -> float | None:
        """The share of impostor pairs let through; None: none was, so only a bound is known."""
        return self.false_matches / self.impostors if self.false_matches else None

    @property
    def fmr_bound(self) -> float:
        """Where no pair was let through, what the FMR is below, with 95 % confidence.

        The rule of three: 1 − 0.05^(1/n) ≈ 3/n (ISO/IEC 19795-1).
        """
        return min(RULE_OF_THREE / self.impostors, 1.0)

    @property
    def is_rough(self) -> bool:
        """Whether the FMR rests on too few events to be within 30 % of the truth."""
        return self.false_matches < RULE_OF_THIRTY


@dataclass(frozen=True, slots=True)
class AllPairs:
    """The scores of every pair of images, each pair once."""

    genuine: FloatArray
    """(g,) scores of pairs that show one person."""
    impostor_counts: IntArray
    """(200001,) impostor pairs by score: bin k holds −1 + k·BIN_WIDTH and what is above it."""

    @property
    def impostors(self) -> int:
        return int(self.impostor_counts.sum())

    @property
    def impostors_from(self) -> IntArray:
        """(200001,) impostor pairs in each bin or above it."""
        return np.cumsum(self.impostor_counts[::-1])[::-1]


def best_threshold(scores: FloatArray, same: BoolArray) -> float:
    """The threshold that judges most of these pairs rightly (`score >= threshold`: one person).

    scores, same: (n,); pairs with NaN have no say. Candidates lie halfway between neighbouring
    scores and beyond both ends; of equally good ones it is the middle one, so that it does not
    hug a single pair.
    """
    known = ~np.isnan(scores)
    values = scores[known].astype(np.float64)
    order = np.argsort(values, kind="stable")
    values, truth = values[order], same[known][order]
    if values.size == 0:
        return 0.0
    distinct, first = np.unique(values, return_index=True)
    edges = np.concatenate(
        [[distinct[0] - 1], (distinct[1:] + distinct[:-1]) / 2, [distinct[-1] + 1]]
    )
    below = np.append(first, values.size)  # pairs rejected at each edge
    rejected_rightly = np.concatenate([[0], np.cumsum(~truth)])[below]
    accepted_rightly = truth.sum() - np.concatenate([[0], np.cumsum(truth)])[below]
    right = rejected_rightly + accepted_rightly
    best = np.flatnonzero(right == right.max())
    return float(edges[best[len(best) // 2]])


def accuracy_at(scores: FloatArray, same: BoolArray, threshold: float) -> float:
    """The share of pairs judged rightly. A pair with NaN counts as an error either way."""
    right = np.where(np.isnan(scores), False, (scores >= threshold) == same)
    return float(right.mean()) if right.size else 0.0


def accuracy_over_folds(folds: Sequence[Fold]) -> FoldAccuracy:
    """Each fold judged with the threshold that suits the other folds best.

    With one fold there are no others: its threshold is chosen on itself, which flatters.
    Raises ValueError without folds.
    """
    if not folds:
        raise ValueError("there are no folds")
    thresholds = []
    for number, fold in enumerate(folds):
        others = [other for k, other in enumerate(folds) if k != number] or [fold]
        thresholds.append(
            best_threshold(
                np.concatenate([other.scores for other in others]),
                np.concatenate([other.same for other in others]),
            )
        )
    accuracies = np.array(
        [accuracy_at(fold.scores, fold.same, t) for fold, t in zip(folds, thresholds, strict=True)]
    )
    return FoldAccuracy(
        mean=float(accuracies.mean()),
        std=float(accuracies.std()),
        standard_error=(
            float(accuracies.std(ddof=1) / np.sqrt(len(folds))) if len(folds) > 1 else None
        ),
        accuracies=tuple(float(a) for a in accuracies),
        thresholds=tuple(thresholds),
    )


def all_against_all(
    embeddings: FloatArray,
    people: IntArray,
    *,
    block: int = 512,
    advance: Callable[[int], None] | None = None,
) -> AllPairs:
    """Scores of every pair of images, in blocks, so that memory stays at block × n.

    embeddings: (n, dim) unit length; people: (n,) who is on each. `advance` hears of rows done.
    """
    genuine: list[FloatArray] = []
    counts = np.zeros(_BINS, dtype=np.int64)
    total = len(embeddings)
    for start in range(0, total, block):
        rows = embeddings[start : start + block]
        scores = rows @ embeddings[start:].T
        # Above the diagonal: each pair once, and nobody against itself.
        later = np.arange(start, total)[None, :] > np.arange(start, start + len(rows))[:, None]
        same = people[start : start + len(rows), None] == people[None, start:]
        genuine.append(scores[later & same].astype(np.float32))
        counts += _histogram(scores[later & ~same])
        if advance is not None:
            advance(len(rows))
    found = np.concatenate(genuine) if genuine else np.empty(0, np.float32)
    return AllPairs(genuine=found, impostor_counts=counts)


def operating_point(pairs: AllPairs, target_fmr: float) -> OperatingPoint:
    """The true accept rate where at most `target_fmr` of the impostor pairs are let through.

    Raises ValueError if there are no genuine or no impostor pairs.
    """
    _need_both(pairs)
    at_or_above = pairs.impostors_from
    allowed = int(np.floor(target_fmr * pairs.impostors + 1e-9))
    passing = np.flatnonzero(at_or_above <= allowed)
    # Beyond the last bin nothing is let through, whatever the target.
    first = int(passing[0]) if passing.size else _BINS
    let_through = int(at_or_above[first]) if first < _BINS else 0
    threshold = -1 + first * BIN_WIDTH
    return OperatingPoint(
        target_fmr=target_fmr,
        threshold=threshold,
        fmr=let_through / pairs.impostors,
        tar=_share_from(pairs, first),
        false_matches=let_through,
    )


def at_thresholds(pairs: AllPairs, thresholds: Sequence[float]) -> Sequence[ThresholdFigures]:
    """What each of these thresholds lets through, to the width of a bin.

    Raises ValueError if there are no genuine or no impostor pairs.
    """
    _need_both(pairs)
    at_or_above = pairs.impostors_from
    figures = []
    for threshold in thresholds:
        # The first bin that lies wholly at or above it; 1e-6 as in _bin_of.
        first = int(np.clip(np.ceil((threshold + 1) / BIN_WIDTH - 1e-6), 0, _BINS))
        let_through = int(at_or_above[first]) if first < _BINS else 0
        figures.append(
            ThresholdFigures(threshold, let_through, pairs.impostors, _share_from(pairs, first))
        )
    return figures


def _need_both(pairs: AllPairs) -> None:
    if not pairs.impostors or not pairs.genuine.size:
        raise ValueError("it takes pairs of one person and pairs of two")


def _share_from(pairs: AllPairs, first: int) -> float:
    """The share of genuine pairs in this bin or above."""
    return float((_bin_of(pairs.genuine) >= first).mean())


def _bin_of(scores: FloatArray) -> IntArray:
    """The bin of each score. Genuine and impostor scores must round alike."""
    clipped = np.clip(scores.astype(np.float64), -1.0, 1.0)
    return np.floor((clipped + 1.0) / BIN_WIDTH + 1e-6).astype(np.int64)


def _histogram(scores: FloatArray) -> IntArray:
    return np.bincount(_bin_of(scores), minlength=_BINS).astype(np.int64)
