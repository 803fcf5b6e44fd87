"""CPU times that are taken from the runs a prediction is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bench.capacity.fitted import TooFewRates, fitted, line
from bench.capacity.profile import PROFILES, Profile
from bench.load.observed import OK, Observed
from bench.load.plan import Interface, Plan
from bench.load.runs import Run

EDGE, INFERENCE = "edge", "inference"


def run_at(rate: float, cpu: dict[str, tuple[float, float]], *, seconds: float = 10.0) -> Run:
    """cpu: of each process, seconds a request and seconds a second."""
    count = int(rate * seconds)
    due = np.arange(count) / rate
    used = {
        name: count * each + seconds * rest
        for name, (each, rest) in cpu.items()
        if name != "client"
    }
    each, rest = cpu["client"]
    observed = Observed(
        due=due,
        sent=due,
        done=due + 0.02,
        status=np.full(count, OK),
        is_right=np.full(count, fill_value=True),
        generator_cpu_seconds=count * each + seconds * rest,
        connections=1,
    )
    plan = Plan(Interface.SEARCH, "", "", "", "", rate=rate, seconds=seconds)
    return Run(plan, observed, used)


def runs_of(cpu: dict[str, tuple[float, float]]) -> Sequence[Run]:
    return [run_at(rate, cpu) for rate in (20.0, 40.0, 70.0)]


CPU = {EDGE: (0.004, 0.03), INFERENCE: (0.010, 0.02), "client": (0.001, 0.0)}


@pytest.fixture(scope="module")
def profile() -> Profile:
    # Cores that do not slow one another down: then the model takes what it is told.
    return replace(Profile.load(PROFILES / "mbf128.json"), shared_speed=1.0)


def test_a_line_tells_what_a_request_costs_from_what_is_taken_anyway() -> None:
    found = line(runs_of(CPU), EDGE)

    assert found.each == pytest.approx(0.004)
    assert found.rest == pytest.approx(0.03)


def test_a_request_that_costs_more_when_busy_costs_the_mean() -> None:
    runs = [
        run_at(20.0, CPU | {EDGE: (0.003, 0.0)}),
        run_at(80.0, CPU | {EDGE: (0.005, 0.0)}),
    ]

    assert line(runs, EDGE).rest == 0
    assert line(runs, EDGE).each == pytest.approx((20 * 0.003 + 80 * 0.005) / 100)


def test_runs_at_one_rate_tell_nothing() -> None:
    with pytest.raises(TooFewRates):
        line([run_at(20.0, CPU), run_at(20.0, CPU)], EDGE)


def test_a_fitted_profile_costs_what_the_runs_did(profile: Profile) -> None:
    found = fitted(profile, runs_of(CPU), edge=EDGE, inference=INFERENCE)

    assert found.cpu_seconds == pytest.approx(0.015, rel=0.02)
    assert found.edge.seconds / found.cpu_seconds == pytest.approx(0.004 / 0.015)
    assert found.background.edge == pytest.approx(0.03)
    assert found.background.inference == pytest.approx(0.02 / profile.servers)
    of_photos = found.photo_seconds / (found.photo_seconds + found.loop.seconds)
    before = profile.photo_seconds / (profile.photo_seconds + profile.loop.seconds)
    assert of_photos == pytest.approx(before)
