"""Pairs of images, drawn with a seed. Pure.

LFW's own pairs mix people; where some of them were trained on, pairs of the others are made here.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.random import Generator

from cli.evaluation.verification import IntArray

ImagePair = tuple[int, int]
"""Places of two images, the lower one first."""


def genuine_pairs(people: IntArray, rng: Generator, *, is_balanced: bool) -> list[ImagePair]:
    """All pairs of one person, in the order in which they are to be taken.

    people: (n,) who is on each image. is_balanced: the pairs go round the people, one new pair
    each, so that nobody with many images decides alone; else they come in any order.
    """
    images_of: dict[int, list[int]] = defaultdict(list)
    for image, person in enumerate(people.tolist()):
        images_of[person].append(image)
    decks = []
    for images in images_of.values():
        deck = [(a, b) for k, a in enumerate(images) for b in images[k + 1 :]]
        decks.append([deck[place] for place in rng.permutation(len(deck))])
    if is_balanced:
        longest = max(map(len, decks), default=0)
        return [deck[turn] for turn in range(longest) for deck in decks if turn < len(deck)]
    every = [pair for deck in decks for pair in deck]
    return [every[place] for place in rng.permutation(len(every))]


def impostor_pairs(people: IntArray, count: int, rng: Generator) -> list[ImagePair]:
    """So many pairs of two people, none twice, drawn from all of them; sorted.

    people: (n,). Raises ValueError if there are not so many.
    """
    _, images = np.unique(people, return_counts=True)
    there = (len(people) ** 2 - int((images**2).sum())) // 2
    if there < count:
        raise ValueError(f"{there} pairs of two people where {count} are wanted")
    found: set[ImagePair] = set()
    while len(found) < count:
        a, b = sorted(rng.integers(len(people), size=2).tolist())
        if people[a] != people[b]:
            found.add((a, b))
    return sorted(found)


def folds_of_people(people: IntArray, folds: int, rng: Generator) -> IntArray:
    """(n,) the fold of each image; a person's images are all in one.

    people: (n,). Those with many images are dealt first, to and fro, so that every fold gets some.
    """
    who, place, images = np.unique(people, return_inverse=True, return_counts=True)
    shuffled = rng.permutation(len(who))
    most_first = shuffled[np.argsort(-images[shuffled], kind="stable")]
    turn = np.arange(len(who)) % (2 * folds)
    fold_of = np.empty(len(who), np.int64)
    fold_of[most_first] = np.where(turn < folds, turn, 2 * folds - 1 - turn)
    return fold_of[place]
