"""What a threshold means for a base: figures that a hand can check, and brute force."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.console import out
from cli.evaluation.faces import Embedded
from cli.evaluation.figures import LfwFigures
from cli.evaluation.threshold_report import Format, print_thresholds, thresholds_as_json
from cli.evaluation.thresholds import BASES, GRID, false_hits, threshold_figures, threshold_for
from cli.evaluation.verification import (
    BIN_WIDTH,
    AllPairs,
    FloatArray,
    Fold,
    accuracy_over_folds,
    at_thresholds,
)


def pairs_of(genuine: list[float], impostors: dict[float, int]) -> AllPairs:
    """All pairs with these scores, the impostors' with how often each occurs."""
    counts = np.zeros(round(2 / BIN_WIDTH) + 1, np.int64)
    for score, times in impostors.items():
        counts[round((score + 1) / BIN_WIDTH)] = times
    return AllPairs(np.array(genuine, np.float32), counts)


MILLION = pairs_of([0.3, 0.45, 0.6, 0.7], {0.0: 999_000, 0.2: 900, 0.41: 98, 0.47: 2})


def test_the_grid_goes_from_a_tenth_to_six_tenths() -> None:
    assert (GRID[0], GRID[-1], len(GRID)) == (0.1, 0.6, 26)
    assert 0.5 in GRID  # the default threshold


def test_a_score_at_the_threshold_is_let_through() -> None:
    (at,) = at_thresholds(MILLION, [0.41])
    (above,) = at_thresholds(MILLION, [0.41 + 2 * BIN_WIDTH])
    assert (at.false_matches, above.false_matches) == (100, 2)
    assert (at.fmr, at.tar) == (1e-4, 0.75)


def test_false_hits_are_the_rate_times_the_faces() -> None:
    (row,) = at_thresholds(MILLION, [0.40])
    hits = false_hits(row, 250_000)
    assert hits.expected == pytest.approx(25)
    assert (hits.is_bound, hits.is_rough) == (False, False)


def test_a_rate_of_few_events_is_called_rough() -> None:
    (row,) = at_thresholds(MILLION, [0.46])
    assert row.false_matches == 2
    assert false_hits(row, 1_000_000).is_rough


def test_where_no_impostor_passed_only_a_bound_is_known() -> None:
    (row,) = at_thresholds(MILLION, [0.50])
    assert row.fmr is None
    assert row.fmr_bound == pytest.approx(3e-6)
    # The rule of three: with that rate, a million pairs all fail once in twenty times.
    assert (1 - row.fmr_bound) ** 1_000_000 == pytest.approx(0.05, rel=0.01)
    hits = false_hits(row, 1_000_000)
    assert hits.is_bound
    assert hits.expected == pytest.approx(3)


def test_a_larger_base_needs_a_higher_threshold() -> None:
    thousand, ten_thousand = (threshold_for(MILLION, faces) for faces in (1_000, 10_000))
    assert thousand.point is not None
    assert ten_thousand.point is not None
    # FMR 1e-4 is the 100 pairs at 0.41 and 0.47; 1e-5 lets the two through.
    assert thousand.point.false_matches == 100
    assert ten_thousand.point.false_matches == 2
    assert 0.2 < thousand.point.threshold <= 0.41 < ten_thousand.point.threshold <= 0.47


def test_a_base_that_needs_more_pairs_than_there_are_gets_no_threshold() -> None:
    assert threshold_for(MILLION, 1_000_000).point is None


def test_without_impostors_no_threshold_means_anything() -> None:
    with pytest.raises(ValueError, match="two"):
        threshold_figures(pairs_of([0.5], {}))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.sampled_from(GRID))
def test_the_share_of_genuine_pairs_agrees_with_brute_force(
    scores: list[float], threshold: float
) -> None:
    genuine: FloatArray = np.array(scores, np.float32)
    (row,) = at_thresholds(AllPairs(genuine, MILLION.impostor_counts), [threshold])
    # Scores within a bin of the threshold may fall on either side.
    surely = float((genuine >= threshold + 2 * BIN_WIDTH).mean())
    perhaps = float((genuine >= threshold - 2 * BIN_WIDTH).mean())
    assert surely <= row.tar <= perhaps


@pytest.fixture
def figures() -> LfwFigures:
    fold = Fold(np.array([0.6, 0.1], np.float32), np.array([True, False]))
    return LfwFigures(
        embedded=Embedded(),
        pairs=2,
        pairs_without_face=0,
        accuracy=accuracy_over_folds([fold]),
        everything=MILLION,
        points=(),
        thresholds=threshold_figures(MILLION),
        bases=[threshold_for(MILLION, faces) for faces in (*BASES, 25_000_000)],
    )


def test_as_json_a_bound_is_not_taken_for_a_measurement(figures: LfwFigures) -> None:
    rows = json.loads(json.dumps(thresholds_as_json(figures)))["thresholds"]
    by_threshold = {row["threshold"]: row for row in rows}
    measured, bound = by_threshold[0.4], by_threshold[0.5]
    assert (measured["fmr"], measured["fmr_below"]) == (1e-4, None)
    assert measured["expected_false_hits"]["10000"] == pytest.approx(1)
    assert (bound["fmr"], bound["fmr_below"]) == (None, pytest.approx(3e-6))
    assert bound["expected_false_hits"] is None
    assert bound["expected_false_hits_below"]["25000000"] == pytest.approx(75)


def test_in_markdown_the_tables_say_what_is_rough_and_what_a_bound(
    figures: LfwFigures, capsys: pytest.CaptureFixture[str]
) -> None:
    print_thresholds(figures, out(), Format.MARKDOWN)
    lines = capsys.readouterr().out.splitlines()
    cells = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in lines
        if line.startswith("|") and line.split("|")[1].strip().startswith("0.")
    }
    assert cells["0.40"] == ["1.0e-04", "75.0%", "0.1", "1", "10", "100", "1,000", "2,500"]
    assert cells["0.46"][:3] == ["~2.0e-06", "50.0%", "~0.002"]
    assert cells["0.50"][:3] == ["< 3.0e-06", "50.0%", "< 0.003"]
    assert any("25 M" in line and "too few pairs" in line for line in lines)
