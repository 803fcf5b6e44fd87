"""Pairs made of an image set: how many, of whom, and who is in which fold."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import UsageError
from cli.evaluation.draw import Draw
from cli.evaluation.generated import FOLDS, generate_pairs
from cli.evaluation.intervals import wilson
from cli.evaluation.lfw import image_name, person_of
from cli.evaluation.pairing import folds_of_people, impostor_pairs


def images(people: int, each: int) -> list[str]:
    return [image_name(f"Person_{p:03d}", n) for p in range(people) for n in range(1, each + 1)]


def test_as_many_pairs_of_each_kind_as_asked_for_and_none_twice() -> None:
    folds = generate_pairs(images(60, 4), 203, seed=1)
    pairs = [pair for fold in folds for pair in fold]
    assert Counter(pair.same for pair in pairs) == {True: 203, False: 203}
    assert all((person_of(pair.first) == person_of(pair.second)) == pair.same for pair in pairs)
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs)
    assert {len(fold) for fold in folds} == {40, 42}


def test_nobody_is_in_two_folds() -> None:
    folds = generate_pairs(images(60, 4), 200, seed=1)
    assert len(folds) == FOLDS
    people = [
        {person_of(name) for pair in fold for name in (pair.first, pair.second)} for fold in folds
    ]
    assert sum(map(len, people)) == len(set().union(*people))


def test_the_same_seed_gives_the_same_pairs_in_whatever_order_the_images_come() -> None:
    names = images(60, 4)
    assert generate_pairs(names, 100, seed=7) == generate_pairs(names[::-1], 100, seed=7)
    assert generate_pairs(names, 100, seed=7) != generate_pairs(names, 100, seed=8)


def test_somebody_with_many_images_does_not_decide_alone() -> None:
    names = [*images(30, 3), *(image_name("President", n) for n in range(1, 101))]
    pairs = [pair for fold in generate_pairs(names, 60, seed=1) for pair in fold if pair.same]
    assert Counter(person_of(pair.first) for pair in pairs)["President"] <= 2


def test_drawn_from_all_pairs_those_with_many_images_have_most() -> None:
    names = [*images(30, 3), *(image_name("President", n) for n in range(1, 101))]
    folds = generate_pairs(names, 60, seed=1, draw=Draw.PAIRS)
    # The other nine folds have none of him.
    pairs = [pair for fold in folds for pair in fold if pair.same]
    assert Counter(person_of(pair.first) for pair in pairs)["President"] >= 5
    assert len(pairs) == 60
    assert len({(pair.first, pair.second) for pair in pairs}) == 60


@pytest.mark.parametrize(
    ("people", "each", "said"),
    [(60, 1, "0 pairs of one person"), (10, 5, "0 pairs of two people")],
    ids=["one image each", "one person a fold"],
)
def test_too_few_images_are_refused(people: int, each: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        generate_pairs(images(people, each), 20, seed=1)


def test_every_pair_of_two_people_can_be_drawn() -> None:
    people = np.array([0, 0, 1, 2])
    assert impostor_pairs(people, 5, np.random.default_rng(1)) == [
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (2, 3),
    ]
    with pytest.raises(ValueError, match="5 pairs of two people where 6"):
        impostor_pairs(people, 6, np.random.default_rng(1))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=120), st.integers(0, 99))
def test_a_person_is_in_one_fold_and_people_are_spread_evenly(who: list[int], seed: int) -> None:
    people = np.array(who, np.int64)
    folds = folds_of_people(people, 4, np.random.default_rng(seed))
    of_person = dict(zip(who, folds.tolist(), strict=True))
    assert [of_person[person] for person in who] == folds.tolist()
    sizes = [sum(fold == k for fold in of_person.values()) for k in range(4)]
    assert max(sizes) - min(sizes) <= 1


def test_the_interval_is_wilsons() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
