"""How fast the machine was, told from what the services used."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from bench.capacity.pace import EVERY_SECONDS, Watched, costs, speeds
from bench.capacity.usage import Usage, sampled
from bench.load.observed import OK, Observed
from bench.load.plan import Interface, Plan
from bench.load.runs import Run

STARTED = 100.0
REST = 0.1


def watched(rate: float, costs_of_seconds: list[float]) -> Watched:
    """A run in which a search cost so many seconds of CPU in each second, one after the other."""
    seconds = len(costs_of_seconds)
    due = np.arange(int(rate * seconds)) / rate
    observed = Observed(
        due=due,
        sent=due,
        done=due + 0.5 / rate,
        status=np.full(len(due), OK),
        is_right=np.full(len(due), fill_value=True),
        generator_cpu_seconds=0.0,
        connections=1,
        started=STARTED,
    )
    moments = STARTED + np.arange(-1, seconds + 2, dtype=float)
    used = np.concatenate(
        [[0.0], np.cumsum([REST, *(rate * one + REST for one in costs_of_seconds), REST])]
    )
    plan = Plan(Interface.SEARCH, "", "", "", "", rate=rate, seconds=float(seconds))
    return Watched(Run(plan, observed, {}), Usage(moments.tolist(), used.tolist()))


def test_what_a_search_cost_is_told_half_second_by_half_second() -> None:
    found = costs(watched(40.0, [0.01, 0.02]), REST)

    assert found == pytest.approx([0.01, 0.01, 0.02, 0.02])
    assert len(found) == 2 / EVERY_SECONDS


def test_speeds_are_beside_the_mean_of_all_runs() -> None:
    quick, slow = speeds([watched(40.0, [0.01, 0.01]), watched(40.0, [0.02, 0.02])], REST)

    assert quick == pytest.approx([1.5] * 4)
    assert slow == pytest.approx([0.75] * 4)


def test_a_half_second_in_which_nothing_ended_tells_nothing() -> None:
    run = watched(40.0, [0.01, 0.01])
    run.run.observed.done[:] = 0.1

    (found,) = speeds([run], REST)

    assert found[1:] == [1.0, 1.0, 1.0]


def test_processes_are_sampled_while_they_work() -> None:
    begun = time.perf_counter()
    with sampled([os.getpid()]) as usage:
        while time.perf_counter() < begun + 0.5:
            pass

    edges = np.array([usage.moments[0], usage.moments[-1]])
    assert usage.between(edges)[0] == pytest.approx(edges[1] - edges[0], rel=0.5)
