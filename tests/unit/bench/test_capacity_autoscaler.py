"""The autoscaler as Kubernetes documents it."""

from __future__ import annotations

import pytest

from bench.capacity.autoscaler import Autoscaler, Behaviour, Policy, desired


@pytest.mark.parametrize(
    ("current", "metrics", "target", "wish"),
    [
        (2, [1.4, 1.4], 0.7, 4),
        (4, [0.35] * 4, 0.7, 2),
        (3, [0.7, 0.7, 0.7], 0.7, 3),
        (10, [0.76] * 10, 0.7, 10),
        (10, [0.78] * 10, 0.7, 12),
    ],
)
def test_pods_follow_the_ratio_of_metric_and_target_beyond_a_tenth(
    current: int, metrics: list[float], target: float, wish: int
) -> None:
    assert desired(current, metrics, target) == wish


def test_pods_that_start_count_as_idle_when_more_are_wanted() -> None:
    assert desired(2, [2.0, 2.0], 1.0) == 4
    assert desired(4, [2.0, 2.0], 1.0) == 4
    assert desired(3, [2.0, 2.0], 1.0) == 4


def test_nothing_is_done_while_no_pod_tells_anything() -> None:
    assert desired(3, [], 1.0) == 3


def test_a_policy_bounds_each_step() -> None:
    scaler = Autoscaler(Behaviour(1.0, 2, 20, up=(Policy(15.0, pods=2),)))
    assert scaler.pods(15.0, 2, [10.0, 10.0]) == 4
    assert scaler.pods(30.0, 4, [10.0] * 4) == 6


def test_the_most_generous_policy_counts() -> None:
    scaler = Autoscaler(Behaviour(1.0, 2, 50))
    assert scaler.pods(15.0, 2, [10.0, 10.0]) == 6
    assert scaler.pods(30.0, 6, [10.0] * 6) == 12


def test_what_changed_within_the_time_of_a_policy_is_used_up() -> None:
    scaler = Autoscaler(Behaviour(1.0, 2, 20, up=(Policy(60.0, pods=2),)))
    assert scaler.pods(15.0, 2, [10.0, 10.0]) == 4
    assert scaler.pods(30.0, 4, [10.0] * 4) == 4
    assert scaler.pods(90.0, 4, [10.0] * 4) == 6


def test_pods_go_only_when_none_was_wanted_for_the_whole_window() -> None:
    scaler = Autoscaler(Behaviour(1.0, 1, 20, down_window_seconds=60.0))
    assert scaler.pods(15.0, 4, [1.0] * 4) == 4
    assert scaler.pods(30.0, 4, [0.2] * 4) == 4
    assert scaler.pods(60.0, 4, [0.2] * 4) == 4
    assert scaler.pods(90.0, 4, [0.2] * 4) == 1


def test_the_bounds_hold_whatever_is_wanted() -> None:
    scaler = Autoscaler(Behaviour(1.0, 2, 5, down_window_seconds=0.0))
    assert scaler.pods(15.0, 4, [100.0] * 4) == 5
    assert scaler.pods(30.0, 5, [0.0] * 5) == 2
