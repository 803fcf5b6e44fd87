"""Pairs made of an image set, where LFW's own do not fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cli.errors import UsageError
from cli.evaluation.draw import Draw
from cli.evaluation.lfw import Pair, person_of
from cli.evaluation.pairing import (
    ImagePair,
    folds_of_people,
    genuine_pairs,
    impostor_pairs,
)
from cli.evaluation.verification import IntArray

FOLDS = 10
"""As in LFW's View 2."""


def generate_pairs(
    names: Sequence[str], count: int, seed: int, draw: Draw = Draw.PEOPLE
) -> Sequence[Sequence[Pair]]:
    """`count` pairs of one person and `count` of two, none twice, in FOLDS folds.

    A person is in one fold only, so no threshold is judged by people that it was chosen on. In a
    fold the genuine pairs are drawn as `draw` says, the impostor pairs from all of its images. The
    same names and seed give the same pairs. Raises UsageError if a fold has too few.
    """
    rng = np.random.default_rng(seed)
    ordered = sorted(names)
    _, people = np.unique([person_of(name) for name in ordered], return_inverse=True)
    fold_of = folds_of_people(people.astype(np.int64), FOLDS, rng)
    made = []
    for fold in range(FOLDS):
        images = np.flatnonzero(fold_of == fold)
        wanted = count // FOLDS + (fold < count % FOLDS)
        genuine, impostor = _drawn(people[images], wanted, count, rng, draw)
        made.append(
            [_pair(ordered, images, pair, same=True) for pair in genuine]
            + [_pair(ordered, images, pair, same=False) for pair in impostor]
        )
    return made


def _drawn(
    people: IntArray, wanted: int, count: int, rng: np.random.Generator, draw: Draw
) -> tuple[list[ImagePair], list[ImagePair]]:
    genuine = genuine_pairs(people, rng, is_balanced=draw is Draw.PEOPLE)[:wanted]
    try:
        if len(genuine) < wanted:
            raise ValueError(f"{len(genuine)} pairs of one person where {wanted} are wanted")
        return genuine, impostor_pairs(people, wanted, rng)
    except ValueError as error:
        raise UsageError(
            f"there are too few images for {count} pairs of each kind: with nobody in two of the "
            f"{FOLDS} folds, one has {error}",
            "ask for fewer with --generate",
        ) from error


def _pair(names: Sequence[str], images: IntArray, pair: ImagePair, *, same: bool) -> Pair:
    first, second = (names[images[place]] for place in pair)
    return Pair(first, second, same=same)
