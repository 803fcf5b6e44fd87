"""When requests are due, and how the highest rate is searched for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.arrivals import Arrivals
from bench.load.highest_rate import RateSearch, Step

RATES = st.floats(0.1, 5_000)


def test_requests_come_at_a_constant_rate() -> None:
    arrivals = Arrivals(rate=100, seconds=3)
    assert arrivals.count == 300
    assert [arrivals.due(number) for number in (0, 1, 150)] == [0, 0.01, 1.5]


@given(rate=RATES, seconds=st.floats(0.1, 600), place=st.floats(0, 1))
def test_a_request_is_due_at_its_time_and_not_before(
    rate: float, seconds: float, place: float
) -> None:
    arrivals = Arrivals(rate, seconds)
    number = min(arrivals.count - 1, int(place * arrivals.count))
    assert arrivals.due_by(arrivals.due(number)) == number + 1
    if number:
        assert arrivals.due_by(arrivals.due(number) - 0.01 / rate) == number


def test_nothing_is_due_before_the_start_and_nothing_more_after_the_end() -> None:
    arrivals = Arrivals(rate=50, seconds=2)
    assert arrivals.due_by(-0.001) == 0
    assert arrivals.due_by(1_000) == 100


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="are none"):
        Arrivals(rate=0, seconds=1)


def rates_tried(capacity: float, search: RateSearch) -> list[Step]:
    """The steps of a search against a service that holds up to this rate."""
    steps: list[Step] = []
    while (rate := search.next_rate(steps)) is not None:
        steps.append(Step(rate, holds=rate <= capacity))
    return steps


@given(capacity=st.floats(2, 3_000), first=st.floats(1, 1_000))
def test_the_search_ends_within_its_resolution_of_the_capacity(
    capacity: float, first: float
) -> None:
    search = RateSearch(first, resolution=0.05)
    steps = rates_tried(capacity, search)
    highest = search.highest(steps)
    assert highest is not None
    assert highest <= capacity <= highest * 1.05 * (1 + 1e-9)
    assert len(steps) < 60


def test_the_search_steps_up_and_then_halves_the_gap() -> None:
    search = RateSearch(first=100, growth=1.5, resolution=0.1)
    rates = [step.rate for step in rates_tried(200, search)]
    assert rates == [100, 150, 225, 187.5, 206.25]


def test_where_nothing_holds_there_is_no_highest_rate() -> None:
    search = RateSearch(first=8, growth=2, lowest=1)
    steps = rates_tried(0, search)
    assert [step.rate for step in steps] == [8, 4, 2, 1]
    assert search.highest(steps) is None


def test_a_rate_that_failed_bounds_the_search_though_a_higher_one_held() -> None:
    search = RateSearch(first=100)
    steps = [Step(100, holds=True), Step(120, holds=False), Step(140, holds=True)]
    assert search.highest(steps) == 100
    assert search.next_rate(steps) == 110
