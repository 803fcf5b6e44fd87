"""Pairs and figures of people held out."""

import numpy as np
import pytest

from training.errors import TrainingError
from training.evaluate.verification import pairs


def test_half_of_the_pairs_show_one_person_and_none_comes_twice() -> None:
    people = np.repeat(np.arange(30), 6).astype(np.int64)
    chosen, same = pairs(people, 200, seed=1, is_balanced=False)
    assert same.sum() == 200
    assert ((people[chosen[:, 0]] == people[chosen[:, 1]]) == same).all()
    assert len({(a, b) for a, b in chosen.tolist()}) == 400


def test_balanced_pairs_go_round_the_people() -> None:
    people = np.array([0] * 50 + [1] * 5 + [2] * 5, np.int64)
    chosen, same = pairs(people, 24, seed=1, is_balanced=True)
    shown = people[chosen[same][:, 0]]
    assert [int((shown == person).sum()) for person in range(3)] == [8, 8, 8]


def test_too_few_genuine_pairs_are_an_error() -> None:
    with pytest.raises(TrainingError, match="3 genuine pairs"):
        pairs(np.array([0, 0, 0, 1], np.int64), 4, seed=1, is_balanced=False)


def test_too_few_impostor_pairs_are_an_error() -> None:
    with pytest.raises(TrainingError, match="0 pairs of two people"):
        pairs(np.zeros(5, np.int64), 4, seed=1, is_balanced=False)
