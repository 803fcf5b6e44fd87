"""What the load test makes of runs and of the services' own metrics."""

from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from bench.load.budget import StageTimes, budget_table
from bench.load.criteria import CAPACITY, REFERENCE, find_highest
from bench.load.highest_rate import RateSearch
from bench.load.observed import Observed
from bench.load.overload import Overload
from bench.load.plan import Interface, Plan
from bench.load.runs import Run
from bench.load.scrape import Scrape
from bench.load.tables import cpu_table, is_late, latency_table, over_time_plot

Observations = dict[tuple[str, ...], list[float]]
"""Seconds by labels."""


def observed(latencies: list[float], status: int = 200, late: float = 0.0) -> Observed:
    count = len(latencies)
    due = np.arange(count) / 100
    return Observed(
        due=due,
        sent=due + late,
        done=due + np.array(latencies),
        status=np.full(count, status),
        is_right=np.full(count, True),
        generator_cpu_seconds=0.002 * count,
        connections=1,
    )


def run_of(seen: Observed, rate: float = 100) -> Run:
    plan = Plan(Interface.SEARCH, "http://x", "key", "selfies", "out", rate, seen.count / rate)
    return Run(plan, seen, {"edge": 0.003 * seen.count})


def test_a_rate_holds_by_its_percentiles_from_the_moment_requests_were_due() -> None:
    quick = [0.02] * 100
    assert REFERENCE.holds(observed(quick))
    assert not REFERENCE.holds(observed([0.02] * 94 + [0.06] * 6))
    assert CAPACITY.holds(observed([0.02] * 94 + [0.06] * 6))
    assert not CAPACITY.holds(observed([0.02] * 98 + [0.21] * 2))


def test_a_rate_does_not_hold_if_one_answer_is_a_refusal() -> None:
    seen = observed([0.01] * 100)
    seen.status[7] = 429
    assert not CAPACITY.holds(seen)


def test_a_rate_that_fails_once_is_tried_again() -> None:
    tried: list[float] = []

    def run_at(rate: float, seconds: float) -> Run:
        tried.append(rate)
        is_slow = rate > 130 or tried == [100, 125]  # beyond what it takes, or by a hiccup
        return run_of(observed([0.5 if is_slow else 0.02] * round(rate * seconds)), rate)

    runs: list[Run] = []
    search = RateSearch(first=100, resolution=0.25)
    assert find_highest(run_at, CAPACITY, search, runs, seconds=1, attempts=2) == 125
    assert tried == [100, 125, 125, 156.25, 156.25]
    # Another criterion begins with what is known, which is enough here.
    assert find_highest(run_at, REFERENCE, search, runs, seconds=1, attempts=2) == 125
    assert len(tried) == 5


def histogram(name: str, values: Observations, labels: list[str]) -> str:
    registry = CollectorRegistry()
    made = Histogram(name, "x", labels, buckets=(0.01, 0.05, 0.1), registry=registry)
    for these, seconds in values.items():
        for one in seconds:
            made.labels(*these).observe(one)
    return generate_latest(registry).decode()


def test_a_quantile_of_a_histogram_is_the_bound_of_its_bucket() -> None:
    name = "facesearch_edge_request_seconds"
    values: Observations = {
        ("/search/", "429"): [0.005] * 98 + [0.04] * 2,
        ("/search/", "200"): [0.09],
    }
    scrape = Scrape.parse(histogram(name, values, ["route", "status"]))
    assert scrape.quantile_bound(0.98, name, route="/search/", status="429") == 0.01
    assert scrape.quantile_bound(0.99, name, route="/search/", status="429") == 0.05
    assert scrape.quantile_bound(0.99, name, route="/search/", status="503") is None


def test_what_was_counted_before_a_run_is_not_of_the_run() -> None:
    before = Scrape.parse(histogram("a_seconds", {("x",): [1.0] * 5}, ["of"]))
    after = Scrape.parse(histogram("a_seconds", {("x",): [1.0] * 5 + [3.0] * 5}, ["of"]))
    assert after.mean("a_seconds", of="x") == 2.0
    assert after.since(before).mean("a_seconds", of="x") == 3.0
    assert after.since(after).mean("a_seconds", of="x") == 0.0


def test_the_stages_of_a_search_sum_up_to_the_whole() -> None:
    edge_stages: Observations = {
        ("/search/", "inference"): [0.012],
        ("/search/", "vectors"): [0.003],
    }
    stages: Observations = {
        ("decode",): [0.002],
        ("detect",): [0.004],
        ("align",): [0.001],
        ("embed",): [0.002],
    }
    text = (
        histogram("facesearch_edge_request_seconds", {("/search/",): [0.017]}, ["route"])
        + histogram("facesearch_edge_stage_seconds", edge_stages, ["route", "stage"])
        + histogram("facesearch_inference_call_seconds", {("Analyze",): [0.010]}, ["rpc"])
        + histogram("facesearch_inference_stage_seconds", stages, ["stage"])
    )
    times = StageTimes.of(Scrape.parse(text))
    assert times.total == pytest.approx(17)
    assert times.milliseconds["gRPC hop"] == pytest.approx(2)
    assert times.milliseconds["inference: between the stages"] == pytest.approx(1)
    assert times.milliseconds["HTTP, multipart, key, limits, answer"] == pytest.approx(2)
    assert budget_table([("10/s", times)]).rows[-1] == ["sum", 12.6, 17.0]


def test_goodput_is_what_is_answered_200_until_the_last_answer() -> None:
    seen = observed([0.5] * 400)
    seen.status[::2] = 429
    name = "facesearch_edge_request_seconds"
    edge = histogram(name, {("/search/", "429"): [0.02] * 200}, ["route", "status"])
    overload = Overload(run_of(seen, rate=100), 50, "p99 ≤ 1 s", Scrape.parse(edge))
    assert overload.goodput == pytest.approx(200 / 4.49)
    figures = {figure.name.partition(" ")[0]: figure for figure in overload.figures()}
    assert figures["goodput"].passes is False
    assert figures["goodput"].is_guarded
    assert figures["longest"].value == pytest.approx(0.5)
    assert figures["p99"].value == 50.0
    assert figures["p99"].passes


def test_tables_say_what_callers_saw_and_what_it_cost() -> None:
    run = run_of(observed([0.010, 0.020, 0.030, 0.040]))
    row = latency_table({"reference": run}).rows[0]
    assert row == ["reference", 100, 4, "200: 4", 20.0, 40.0, 40.0, 40.0, 57.1]
    table = cpu_table({"reference": run})
    assert table.columns == ["run", "edge", "client", "sum"]
    assert table.rows == [["reference", 3.0, 2.0, 5.0]]


def test_a_generator_that_is_late_is_told_from_one_in_time() -> None:
    assert is_late(observed([0.1] * 10, late=0.006))
    assert not is_late(observed([0.1] * 10, late=0.001))


def test_latency_over_time_is_by_the_second_in_which_requests_were_due() -> None:
    plot = over_time_plot("x", observed([0.010] * 100 + [0.500] * 100))
    (first, quick), (second, slow) = plot.series["p50"]
    assert (first, second) == (0.0, 1.0)
    assert [quick, slow] == pytest.approx([10, 500])
