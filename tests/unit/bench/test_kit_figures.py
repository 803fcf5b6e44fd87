"""When a figure meets its target, and when CI fails for it."""

from __future__ import annotations

import math

import pytest

from bench.kit.figures import Better, Figure


def figure(value: float, target: float | None, better: Better) -> Figure:
    return Figure("P0", "figure", value, "ratio", target, better)


@pytest.mark.parametrize(
    ("value", "better", "passes", "is_half"),
    [
        (0.9, "higher", True, True),
        (0.89, "higher", False, True),
        (0.45, "higher", False, True),
        (0.44, "higher", False, False),
        (0.9, "lower", True, True),
        (0.91, "lower", False, True),
        (1.8, "lower", False, True),
        (1.81, "lower", False, False),
    ],
)
def test_half_a_target_is_half_of_it_or_twice_it(
    value: float, better: Better, passes: bool, is_half: bool
) -> None:
    one = figure(value, 0.9, better)
    assert (one.passes, one.is_half) == (passes, is_half)


def test_without_a_target_nothing_is_judged() -> None:
    one = figure(0.0, None, "higher")
    assert one.passes is None
    assert one.is_half


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_value_that_is_not_a_number_reaches_nothing(better: Better) -> None:
    one = figure(math.nan, 0.9, better)
    assert (one.passes, one.is_half) == (False, False)
