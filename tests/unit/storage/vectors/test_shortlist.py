"""Probes that are compared together: the same answers, bit by bit, as each would get alone."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.vectors.gallery import BLOCK_ROWS, Gallery, Query
from storage.vectors.ranking import best_rows, exact_scores
from storage.vectors.shortlist import FROM_PROBES, close_scores, shortlist, slack_of
from tests.unit.storage.vectors.faces import key, random_units

DIM = 32
UNITS = random_units(BLOCK_ROWS + 700, DIM)


def nearly(vector: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Vectors that differ from this one in the last bits."""
    steps = np.arange(count)[:, None] % 3 - 1
    return np.nextafter(np.repeat(vector[None], count, axis=0), vector + steps.astype(np.float32))


def gallery_of(rows: NDArray[np.float32]) -> Gallery:
    gallery = Gallery(rows.shape[1])
    keys = [key(n, collection="ab"[n % 5 == 0]) for n in range(len(rows))]
    gallery.put(keys, rows)
    return gallery


LARGE = gallery_of(np.concatenate([UNITS, nearly(UNITS[0], 40), UNITS[:20]]))
SMALL = gallery_of(np.concatenate([nearly(UNITS[0], 30), UNITS[:9], UNITS[:3]]))

queries = st.builds(
    lambda probe, limit, minimum, within: Query(UNITS[probe], within, limit, minimum, ()),
    probe=st.integers(0, 25),
    limit=st.sampled_from([1, 2, 7, 44, 900, 16_384]),
    # 1 and the score of a row itself are where rounding decides.
    minimum=st.sampled_from([-1.0, 0.0, 0.5, float(np.float32(1) - np.float32(1e-7)), 1.0]),
    within=st.sampled_from([None, frozenset("a"), frozenset("b"), frozenset("ab")]),
)


@settings(deadline=None, max_examples=50)
@given(
    gallery=st.sampled_from([LARGE, SMALL]),
    together=st.lists(queries, min_size=FROM_PROBES, max_size=33),
)
def test_together_each_gets_what_it_would_get_alone(
    gallery: Gallery, together: list[Query]
) -> None:
    answers = gallery.search(together)

    assert answers == [gallery.search([query])[0] for query in together]


@settings(deadline=None, max_examples=50)
@given(
    dim=st.sampled_from([1, 3, 61, 128, 512, 2_048]),
    rows=st.integers(1, 300),
    probes=st.integers(1, 33),
    seed=st.integers(0, 99),
)
def test_close_scores_are_within_the_slack(dim: int, rows: int, probes: int, seed: int) -> None:
    units = random_units(rows, dim, seed)
    others = np.concatenate([random_units(probes, dim, seed + 1), units])[:probes]

    close = close_scores(units, others)

    assert close.shape == (probes, rows)
    assert np.abs(close - exact_scores(units, others)).max() <= slack_of(dim)
    precise = np.clip(others.astype(np.float64) @ units.astype(np.float64).T, -1.0, 1.0)
    assert np.abs(close - precise).max() <= slack_of(dim) / 2


@settings(deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.25, 0.26, 0.2601, 0.5, 0.501]), max_size=30),
    errors=st.lists(st.floats(-1, 1), min_size=30, max_size=30),
    limit=st.integers(1, 30),
    minimum=st.sampled_from([-1.0, 0.0, 0.2505, 0.26, 0.5]),
)
def test_no_row_that_may_be_among_the_best_is_left_out(
    scores: list[float], errors: list[float], limit: int, minimum: float
) -> None:
    slack = 0.001
    exact = np.array(scores, np.float32)
    close = (exact + slack * np.array(errors[: len(scores)])).astype(np.float32)

    # A hair more, because the error was rounded too.
    rows = shortlist(close, slack + 1e-7, limit, minimum)

    assert set(best_rows(exact, limit, minimum)) <= set(rows)


def test_a_shortlist_leaves_out_nearly_everything() -> None:
    close = close_scores(UNITS, UNITS[:8])

    assert all(len(shortlist(scores, slack_of(DIM), 10, -1.0)) == 10 for scores in close)


@pytest.mark.parametrize("probes", [4, 8, 32])
def test_comparing_takes_one_core(probes: int) -> None:
    """A product of another size would wake a thread of BLAS for every core."""
    rows = random_units(BLOCK_ROWS, 512)
    close_scores(rows, rows[:probes])
    process, thread = time.process_time(), time.thread_time()

    for _ in range(20):
        close_scores(rows, rows[:probes])

    mine = time.thread_time() - thread
    assert time.process_time() - process <= 1.3 * mine + 0.005
