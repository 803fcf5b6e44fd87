"""The HorizontalPodAutoscaler's arithmetic: Kubernetes' documented algorithm and defaults. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

SYNC_SECONDS = 15.0
"""--horizontal-pod-autoscaler-sync-period."""
TOLERANCE = 0.1
"""--horizontal-pod-autoscaler-tolerance."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How much may be added or taken within a time: so many pods, or such a share of them."""

    seconds: float
    pods: int = 0
    percent: int = 0

    def change(self, pods: int) -> int:
        """Pods that it allows, of so many at the beginning of its time."""
        return max(self.pods, math.ceil(pods * self.percent / 100))


DEFAULT_UP = (Policy(15.0, pods=4), Policy(15.0, percent=100))
"""Kubernetes' own, where a HorizontalPodAutoscaler says nothing."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One HorizontalPodAutoscaler with one metric."""

    target: float
    """Of the metric, per pod."""
    min_pods: int
    max_pods: int
    up: tuple[Policy, ...] = DEFAULT_UP
    """The most generous counts."""
    down: tuple[Policy, ...] = (Policy(15.0, percent=100),)
    up_window_seconds: float = 0.0
    down_window_seconds: float = 300.0
    """stabilizationWindowSeconds."""


@dataclass(slots=True)
class _Wish:
    at: float
    pods: int


@dataclass(slots=True)
class Autoscaler:
    """Says how many pods there shall be, from what the ready ones report."""

    behaviour: Behaviour
    _wishes: list[_Wish] = field(default_factory=list)
    _counts: list[_Wish] = field(default_factory=list)

    def pods(self, now: float, current: int, metrics: Sequence[float]) -> int:
        """To be called every SYNC_SECONDS. current: pods that there shall be so far.

        metrics: of each ready pod. Pods that are not ready, or tell nothing yet, count as idle
        when more are wanted, and as on target when fewer are.
        """
        rules = self.behaviour
        wish = self._stabilised(now, desired(current, metrics, rules.target))
        self._counts.append(_Wish(now, current))
        if wish > current:
            allowed = max(current + self._room(now, current, one, +1) for one in rules.up)
            wish = min(wish, allowed)
        elif wish < current:
            allowed = min(current - self._room(now, current, one, -1) for one in rules.down)
            wish = max(wish, allowed)
        return min(max(wish, rules.min_pods), rules.max_pods)

    def _stabilised(self, now: float, wish: int) -> int:
        """Up only as far as every wish of its window went, down likewise."""
        rules = self.behaviour
        self._wishes.append(_Wish(now, wish))
        longest = max(rules.up_window_seconds, rules.down_window_seconds)
        self._wishes = [one for one in self._wishes if one.at >= now - longest]
        up = min(w.pods for w in self._wishes if w.at >= now - rules.up_window_seconds)
        down = max(w.pods for w in self._wishes if w.at >= now - rules.down_window_seconds)
        current = self._counts[-1].pods if self._counts else wish
        return up if up > current else min(down, max(current, wish))

    def _room(self, now: float, current: int, policy: Policy, sign: int) -> int:
        """How many more pods a policy lets change now."""
        past = [one.pods for one in self._counts if one.at > now - policy.seconds]
        begun = min(past) if sign > 0 else max(past)
        changed = sign * (current - begun)
        return max(0, policy.change(begun) - changed)


def desired(current: int, metrics: Sequence[float], target: float) -> int:
    """Pods that would bring the metric to its target; the present number within the tolerance."""
    if not metrics:
        return current
    ratio = sum(metrics) / len(metrics) / target
    if abs(ratio - 1) <= TOLERANCE:
        return current
    silent = max(0, current - len(metrics))
    if not silent:
        return math.ceil(len(metrics) * ratio)
    assumed = 0.0 if ratio > 1 else target
    with_silent = (sum(metrics) + silent * assumed) / current / target
    # Where the silent ones turn the direction around, nothing is done.
    if abs(with_silent - 1) <= TOLERANCE or (with_silent > 1) != (ratio > 1):
        return current
    wish = math.ceil(current * with_silent)
    return max(wish, current) if ratio > 1 else min(wish, current)
