"""What is made of measured CPU times and of a machine that others use too."""

from __future__ import annotations

import time

import pytest

from bench.capacity.measure import Cpu
from bench.capacity.steadiness import EVERY_SECONDS, WARM_UP, speeds


def cpu_at(rate: float, *, each: float, rest: float) -> Cpu:
    """Of every part so much a request, and so much a second at any rate."""
    seconds = each + rest / rate
    return Cpu(edge=seconds, loop=seconds, photos=seconds, client=seconds)


def test_what_is_taken_at_any_rate_is_no_cost_of_a_request() -> None:
    each, rest = cpu_at(50, each=0.004, rest=0.02).line_to(
        cpu_at(100, each=0.004, rest=0.02), 50, 100
    )

    assert each.edge == each.photos == pytest.approx(0.004)
    assert rest.edge == rest.photos == pytest.approx(0.02)


def test_a_request_that_costs_more_when_busy_costs_what_it_does_then() -> None:
    half, busy = cpu_at(50, each=0.004, rest=0.0), cpu_at(100, each=0.005, rest=0.0)

    each, rest = half.line_to(busy, 50, 100)

    assert each.total == pytest.approx(busy.total)
    assert rest.total == 0


def test_speeds_show_when_the_machine_was_slower() -> None:
    calls, begun = 0, 0.0

    def work() -> None:
        nonlocal calls, begun
        calls += 1
        if calls <= WARM_UP:
            return
        begun = begun or time.perf_counter()
        is_slow = time.perf_counter() - begun > 4 * EVERY_SECONDS
        time.sleep(0.08 if is_slow else 0.002)

    found = speeds(8 * EVERY_SECONDS, work)

    assert max(found[:4]) > 3 * min(found[-2:])  # the machine of a test may halt, too
    assert sum(1 / speed for speed in found) / len(found) == pytest.approx(1.0)
