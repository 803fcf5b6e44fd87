"""The figures of face verification against cases small enough for a hand, and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cli.evaluation.verification import (
    BIN_WIDTH,
    BoolArray,
    FloatArray,
    Fold,
    accuracy_at,
    accuracy_over_folds,
    all_against_all,
    best_threshold,
    operating_point,
)


def fold(*pairs: tuple[float, bool]) -> Fold:
    scores, same = zip(*pairs, strict=True)
    return Fold(np.array(scores, np.float32), np.array(same))


def unit(*rows: tuple[float, ...]) -> FloatArray:
    vectors = np.array(rows, np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_a_threshold_that_parts_the_pairs_lies_between_them() -> None:
    separable = fold((0.1, False), (0.2, False), (0.6, True), (0.9, True))
    assert best_threshold(separable.scores, separable.same) == pytest.approx(0.4)


def test_when_nobody_is_the_same_the_best_threshold_accepts_nobody() -> None:
    threshold = best_threshold(np.array([0.3, 0.9], np.float32), np.array([False, False]))
    assert threshold > 0.9


def test_a_pair_without_a_face_is_an_error_whichever_it_is() -> None:
    scores = np.array([np.nan, np.nan, 0.9, 0.1], np.float32)
    same = np.array([True, False, True, False])
    assert accuracy_at(scores, same, 0.5) == pytest.approx(0.5)


def test_a_pair_without_a_face_has_no_say_in_the_threshold() -> None:
    scores = np.array([0.1, 0.9, np.nan], np.float32)
    assert best_threshold(scores, np.array([False, True, True])) == pytest.approx(0.5)


def test_each_fold_is_judged_with_the_threshold_of_the_others() -> None:
    # The second fold alone would take 0.75; the first one's 0.4 accepts its impostor at 0.7.
    first = fold((0.2, False), (0.6, True))
    second = fold((0.7, False), (0.8, True))
    figures = accuracy_over_folds([first, second])
    assert figures.thresholds == pytest.approx((0.75, 0.4))
    assert figures.accuracies == pytest.approx((0.5, 0.5))
    assert figures.mean == pytest.approx(0.5)
    assert figures.std == pytest.approx(0.0)


def test_the_deviation_is_that_of_the_folds() -> None:
    perfect = fold((0.2, False), (0.6, True))
    half = fold((0.8, False), (0.7, True))
    figures = accuracy_over_folds([perfect, perfect, half])
    assert figures.accuracies == pytest.approx((1.0, 1.0, 0.5))
    assert figures.std == pytest.approx(np.std([1, 1, 0.5]))
    assert figures.standard_error == pytest.approx(np.std([1, 1, 0.5], ddof=1) / np.sqrt(3))


def test_one_fold_is_judged_on_itself_and_has_no_standard_error() -> None:
    figures = accuracy_over_folds([fold((0.2, False), (0.6, True))])
    assert (figures.mean, figures.standard_error) == (1.0, None)


def test_no_folds_are_an_error() -> None:
    with pytest.raises(ValueError, match="no folds"):
        accuracy_over_folds([])


def test_all_against_all_counts_each_pair_once() -> None:
    embeddings = unit((1, 0), (1, 0), (0, 1), (-1, 0))
    pairs = all_against_all(embeddings, np.array([0, 0, 1, 2]))
    assert pairs.genuine == pytest.approx([1.0])
    assert pairs.impostors == 5
    bins = np.flatnonzero(pairs.impostor_counts)
    assert -1 + bins * BIN_WIDTH == pytest.approx([-1.0, 0.0], abs=2 * BIN_WIDTH)
    assert pairs.impostor_counts[bins].tolist() == [2, 3]


def test_the_operating_point_is_the_lowest_threshold_within_the_target() -> None:
    # Impostors at cos 60° = 0.5 (one of four) and below; the genuine pair at cos 30° = 0.866.
    angles = np.radians([0, 30, 60, 150])
    embeddings = unit(*((float(np.cos(a)), float(np.sin(a))) for a in angles))
    pairs = all_against_all(embeddings, np.array([0, 0, 1, 2]))
    assert pairs.impostors == 5
    strict = operating_point(pairs, 0.0)
    assert strict.threshold == pytest.approx(np.cos(np.radians(30)), abs=3 * BIN_WIDTH)
    assert strict.fmr == 0.0
    loose = operating_point(pairs, 0.2)
    assert loose.threshold == pytest.approx(0.5, abs=3 * BIN_WIDTH)
    assert (loose.fmr, loose.tar) == (0.2, 1.0)


def test_without_impostors_there_is_no_operating_point() -> None:
    pairs = all_against_all(unit((1, 0), (1, 0)), np.array([0, 0]))
    with pytest.raises(ValueError, match="two"):
        operating_point(pairs, 0.01)


scores_and_truth = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float32, n, elements=st.sampled_from([k / 8 for k in range(-8, 9)])),
        hnp.arrays(np.bool_, n),
    )
)


@given(scores_and_truth)
def test_no_other_threshold_judges_more_pairs_rightly(
    case: tuple[FloatArray, BoolArray],
) -> None:
    scores, same = case
    chosen = accuracy_at(scores, same, best_threshold(scores, same))
    others = [accuracy_at(scores, same, k / 16) for k in range(-20, 21)]
    assert chosen >= max(others)


bases = st.tuples(
    st.integers(4, 24), st.integers(1, 5), st.integers(0, 2**31 - 1), st.integers(1, 9)
)


@given(bases, st.sampled_from([0.0, 1e-3, 0.02, 0.1, 0.5, 1.0]))
def test_operating_points_agree_with_brute_force(
    base: tuple[int, int, int, int], target: float
) -> None:
    count, people_count, seed, block = base
    random = np.random.default_rng(seed)
    embeddings = unit(*random.normal(size=(count, 3)))
    people = random.integers(0, people_count + 1, count)
    people[:3] = [0, 0, 1]  # at least one pair of each kind
    one, two = np.triu_indices(count, k=1)
    scores = (embeddings[one].astype(np.float64) * embeddings[two]).sum(axis=1)
    same = people[one] == people[two]

    pairs = all_against_all(embeddings, people, block=block)
    assert pairs.genuine.size == same.sum()
    assert pairs.impostors == (~same).sum()

    point = operating_point(pairs, target)
    # A threshold a bin up or down brackets it: scores are binned, and float32.
    above = float((scores[~same] >= point.threshold + 2 * BIN_WIDTH).mean())
    assert above <= point.fmr <= max(target, 0.0) + 1e-12
    lower = float((scores[~same] >= point.threshold - 2 * BIN_WIDTH).mean())
    assert lower > target or point.threshold <= -1 + 2 * BIN_WIDTH
    tar_range = [float((scores[same] >= point.threshold + d).mean()) for d in (2e-5, -2e-5)]
    assert tar_range[0] <= point.tar <= tar_range[1]
