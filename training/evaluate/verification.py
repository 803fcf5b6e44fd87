"""Faces of people held out: pairs judged rightly, and who is let through, all against all.

The figures are those of ``facesearch eval lfw`` (`cli.evaluation.verification`); only the pairs
are made here, with a fixed seed: LFW's own mix people trained on with people held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from cli.evaluation.intervals import wilson
from cli.evaluation.pairing import genuine_pairs, impostor_pairs
from cli.evaluation.verification import (
    Fold,
    IntArray,
    accuracy_over_folds,
    all_against_all,
    operating_point,
)
from inference.pipeline.faces import FloatArray, Pixels
from training.data.label import middle
from training.data.store import PreparedSet
from training.errors import TrainingError

SEED = 9
PAIRS_OF_EACH_KIND = 3000
FOLDS = 10
RATES = (1e-2, 1e-3, 1e-4)

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HeldOutFaces:
    """Aligned faces of people nobody trained on."""

    crops: Pixels
    """(n, 112, 112, 3)."""
    people: IntArray
    """(n,)."""
    teacher: FloatArray
    """(n, dim): the teacher's unit embeddings."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The figures of one recogniser."""

    pairs: int
    accuracy: float
    accuracy_low: float
    """Lower end of the 95 % interval of the accuracy, by Wilson's formula over the pairs."""
    accuracy_high: float
    accuracy_balanced: float
    """The same where genuine pairs go round the people: the harder question, for most of those
    with many images are easy to know again."""
    tar: tuple[float, ...]
    """At each of RATES, all against all."""
    thresholds: tuple[float, ...]
    genuine: int
    impostors: int

    def figures(self) -> dict[str, float]:
        """The few that a training reports."""
        by_rate = {f"tar_{rate:.0e}": tar for rate, tar in zip(RATES, self.tar, strict=True)}
        return {
            "accuracy": self.accuracy,
            "accuracy_balanced": self.accuracy_balanced,
            **by_rate,
        }

    def as_json(self) -> dict[str, object]:
        """All of them."""
        return {**asdict(self), "rates": list(RATES)}


def held_out_faces(sets: Sequence[PreparedSet]) -> HeldOutFaces:
    """The faces of all people held out, of the sets with names. Raises TrainingError: none."""
    crops: list[Pixels] = []
    people: list[str] = []
    teacher: list[FloatArray] = []
    for one in sets:
        held_out = one.held_out
        for crop, image in enumerate(one.crop_image.tolist()):
            person = one.about["people"][image]
            if person is not None and held_out[image]:
                crops.append(one.crops[crop])
                people.append(person)
                teacher.append(one.crop_embeddings[crop])
    if not crops:
        raise TrainingError("no faces of people held out; prepare a set with names")
    _, numbers = np.unique(people, return_inverse=True)
    return HeldOutFaces(middle(np.stack(crops)), numbers.astype(np.int64), np.stack(teacher))


def pairs(people: IntArray, count: int, seed: int, *, is_balanced: bool) -> tuple[IntArray, Flags]:
    """Pairs of images: `count` of one person, `count` of two, in an order that mixes both.

    is_balanced: genuine pairs go round the people (`genuine_pairs`). Impostor pairs are drawn from
    all. Returns (2·count, 2) and (2·count,). Raises TrainingError if there are not so many.
    """
    rng = np.random.default_rng(seed)
    genuine = genuine_pairs(people, rng, is_balanced=is_balanced)[:count]
    if len(genuine) < count:
        raise TrainingError(f"{len(genuine)} genuine pairs where {count} are wanted")
    try:
        impostor = impostor_pairs(people, count, rng)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    chosen = np.array([*genuine, *impostor], np.int64)
    order = rng.permutation(len(chosen))
    return chosen[order], order < count


def verify(embeddings: FloatArray, people: IntArray) -> Verification:
    """How well unit embeddings (n, dim) tell people (n,) apart."""
    accuracy, balanced = (
        _accuracy(embeddings, people, is_balanced=is_balanced) for is_balanced in (False, True)
    )
    low, high = wilson(accuracy, 2 * PAIRS_OF_EACH_KIND)
    every = all_against_all(embeddings, people)
    points = [operating_point(every, rate) for rate in RATES]
    return Verification(
        pairs=2 * PAIRS_OF_EACH_KIND,
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        accuracy_balanced=balanced,
        tar=tuple(point.tar for point in points),
        thresholds=tuple(point.threshold for point in points),
        genuine=len(every.genuine),
        impostors=every.impostors,
    )


def _accuracy(embeddings: FloatArray, people: IntArray, *, is_balanced: bool) -> float:
    chosen, same = pairs(people, PAIRS_OF_EACH_KIND, SEED, is_balanced=is_balanced)
    scores = np.einsum("nd,nd->n", embeddings[chosen[:, 0]], embeddings[chosen[:, 1]])
    parts = zip(np.array_split(scores, FOLDS), np.array_split(same, FOLDS), strict=True)
    return accuracy_over_folds([Fold(scores, same) for scores, same in parts]).mean
