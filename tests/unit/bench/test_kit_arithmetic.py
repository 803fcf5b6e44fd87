"""Percentiles, ratios of medians, the order of rounds, growth of memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.kit.figures import Figure
from bench.kit.latency import Latencies
from bench.kit.result import Form, Plot, Result, Table
from bench.kit.rounds import Rounds, alternate
from bench.memory.series import MemorySeries

SECONDS = st.lists(st.floats(0, 100), min_size=1, max_size=300)


@given(SECONDS, st.floats(0, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    seconds: list[float], percent: float
) -> None:
    latencies = Latencies.of(seconds)
    found = latencies.percentile(percent)
    needed = max(1, math.ceil(round(percent / 100 * len(seconds), 9)))
    assert sum(one <= found for one in seconds) >= needed
    assert sum(one < found for one in seconds) < needed


def test_percentiles_of_a_thousand_values_are_exact() -> None:
    latencies = Latencies.of(float(number) for number in reversed(range(1, 1001)))
    assert (latencies.p50, latencies.p95, latencies.p99) == (500, 950, 990)
    assert (latencies.percentile(99.9), latencies.longest) == (999, 1000)


def test_the_last_of_a_few_values_is_their_p99() -> None:
    assert Latencies.of([0.3, 0.1, 0.2]).p99 == 0.3


def test_no_latency_is_not_a_latency_of_zero() -> None:
    with pytest.raises(ValueError, match="no request"):
        Latencies.of([])


@given(SECONDS)
def test_a_cdf_ends_with_all_requests_at_the_longest_latency(seconds: list[float]) -> None:
    latencies = Latencies.of(seconds)
    points = latencies.cdf()
    assert points[-1] == (latencies.longest * 1000, 1.0)
    assert points == sorted(points)
    assert len(points) <= 400


def test_the_ratio_is_of_medians_so_one_bad_round_changes_little() -> None:
    rounds = Rounds({"ours": [9.0, 10.0, 11.0, 10.0, 0.1], "theirs": [2.0, 2.0, 2.0, 50.0, 2.0]})
    assert rounds.ratio("ours", "theirs") == 5.0


def test_sides_take_turns_and_none_is_always_first() -> None:
    ran: list[str] = []

    def side(name: str) -> Callable[[], float]:
        def run() -> float:
            ran.append(name)
            return float(len(ran))

        return run

    found = alternate({"a": side("a"), "b": side("b")}, rounds=2, warm_up=1)
    assert ran == ["b", "a", "a", "b", "b", "a"]
    assert found.values == {"a": [3.0, 6.0], "b": [4.0, 5.0]}


def test_what_a_process_takes_while_it_warms_up_is_not_growth() -> None:
    series = MemorySeries("inference")
    for done in range(100):
        series.add(done, 100 + done)
    for done in range(100, 200):
        series.add(done, 200)
    assert series.growth(100) == 0
    assert series.growth(0) > 0.5


def test_one_sample_with_a_large_photo_is_not_growth() -> None:
    series = MemorySeries("inference")
    for done in range(100):
        series.add(done, 1000 if done == 99 else 500)
    assert series.growth(0) == 0
    assert series.highest_bytes == 1000


def test_steady_growth_shows() -> None:
    series = MemorySeries("edge")
    for done in range(1000):
        series.add(done, 1_000_000 + 100 * done)
    assert 0.06 < series.growth(200) < 0.08


def test_a_result_comes_back_from_json_as_it_was() -> None:
    result = Result(
        benchmark="engine",
        form=Form.FULL,
        figures=[Figure("P1", "ratio", 0.91, "ratio", 0.9, is_guarded=True)],
        tables=[Table("t", ["a", "b"], [["x", 1], ["y", 2.5]])],
        plots=[Plot("p", "cdf", "ms", "fraction", {"s": [(1.0, 0.5), (2.0, 1.0)]})],
        details={"rounds": [1.0, 2.0], "settings": {"threads": None}},
        seconds=12.5,
    )
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
