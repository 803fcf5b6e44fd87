"""Scores that depend on nothing but the two vectors, and the best of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.vectors.ranking import best_rows, exact_scores, lowest_float32
from tests.unit.storage.vectors.faces import random_units

ROWS = random_units(700, 61)
ALONE = np.array([exact_scores(row[None], ROWS[3])[0] for row in ROWS])


@given(start=st.integers(0, 600), count=st.integers(1, 100), probes=st.integers(1, 9))
def test_a_score_is_the_same_bit_by_bit_whatever_it_is_computed_with(
    start: int, count: int, probes: int
) -> None:
    together = np.stack([ROWS[3 + n] for n in range(probes)])

    scores = exact_scores(ROWS[start : start + count], together)

    np.testing.assert_array_equal(scores[0], ALONE[start : start + count])


def test_scores_are_the_products_in_double_precision_to_six_digits() -> None:
    wanted = ROWS.astype(np.float64) @ ROWS[3].astype(np.float64)

    np.testing.assert_allclose(ALONE, wanted, atol=1e-6)


def test_a_score_is_at_most_one_and_at_least_minus_one() -> None:
    long = ROWS[:1] * np.float32(1.0009)

    assert exact_scores(np.concatenate([long, -long]), long[0]).tolist() == [1.0, -1.0]


def test_scores_are_written_where_asked() -> None:
    out = np.zeros((2, 20), np.float32)

    exact_scores(ROWS[:5], ROWS[:2], out=out[:, 10:15])

    assert np.count_nonzero(out) == 10
    assert out[0, 10] == pytest.approx(1.0)


@given(st.floats(-1.5, 1.5))
def test_a_threshold_passes_the_same_scores_in_single_as_in_double_precision(
    minimum: float,
) -> None:
    least = lowest_float32(minimum)
    below = np.nextafter(least, np.float32(-4))

    assert float(least) >= minimum
    assert float(below) < minimum


@pytest.mark.parametrize("minimum", [-1e300, 1e300, float("inf"), float("-inf")])
def test_a_threshold_may_be_out_of_reach(minimum: float) -> None:
    assert len(best_rows(ALONE, 1_000, minimum)) == (len(ALONE) if minimum < 0 else 0)


@given(
    scores=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), max_size=30),
    limit=st.integers(1, 30),
    minimum=st.sampled_from([-1.0, 0.1, 0.25, 1.0]),
)
def test_the_best_rows_are_the_highest_and_all_that_tie_with_the_last(
    scores: list[float], limit: int, minimum: float
) -> None:
    enough = sorted((score for score in scores if score >= minimum), reverse=True)
    last = enough[:limit][-1] if enough else 2.0

    rows = best_rows(np.array(scores, np.float32), limit, minimum)

    assert set(rows.tolist()) == {row for row, score in enumerate(scores) if score >= last}
