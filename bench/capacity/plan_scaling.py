"""What the autoscaler makes of a step in the load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.capacity.autoscaler import DEFAULT_UP, Behaviour, Policy
from bench.capacity.model.arrivals import Stretch
from bench.capacity.model.work import OK
from bench.capacity.profile import Profile
from bench.capacity.scaling import Course, Metric, Scaled, course_of
from bench.kit.latency import Latencies
from bench.kit.result import Cell, Table

_CPU_TARGET = 0.7
"""Cores: 70 % of the one that an inference pod requests in deploy/k8s."""
_CALLS_TARGET = 2.0
"""Of deploy/overlays/requests-hpa."""
_TWO_PODS = (Policy(15.0, pods=2),)
_BEFORE, _AFTER = 60.0, 180.0
_WINDOW = 5.0


@dataclass(frozen=True, slots=True)
class Case:
    """One setting of the autoscaler under one step."""

    name: str
    scaled: Scaled
    low: float
    high: float
    """Searches a second before and after."""

    def course(self) -> Course:
        """What happens."""
        return course_of(self.scaled, [Stretch(self.low, _BEFORE), Stretch(self.high, _AFTER)])


def cases(profile: Profile) -> list[Case]:
    """From 10 to 100 a second with one pod and with two; then a step beyond what two pods hold."""

    def case(
        name: str, low: float, high: float, behaviour: Behaviour, metric: Metric = Metric.CPU
    ) -> Case:
        edges = 2 if high <= 100 else 4
        return Case(name, Scaled(profile, behaviour, metric, edges=edges), low, high)

    def up_to_20(target: float, up: tuple[Policy, ...] = DEFAULT_UP) -> Behaviour:
        return Behaviour(target, min_pods=2, max_pods=20, up=up)

    return [
        case("10 → 100, from 1 pod", 10, 100, Behaviour(_CPU_TARGET, 1, 10, up=_TWO_PODS)),
        case(
            "10 → 100, from 2 pods: deploy/k8s",
            10,
            100,
            Behaviour(_CPU_TARGET, 2, 10, up=_TWO_PODS),
        ),
        case("50 → 500, 2 pods a step", 50, 500, up_to_20(_CPU_TARGET, _TWO_PODS)),
        case("50 → 500, Kubernetes' default steps", 50, 500, up_to_20(_CPU_TARGET)),
        case("50 → 500, calls in flight", 50, 500, up_to_20(_CALLS_TARGET), Metric.IN_FLIGHT),
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case and what came of it."""

    case: Case
    course: Course

    @property
    def refused(self) -> int:
        return int((self.course.observed.status != OK).sum())

    @property
    def most_pods(self) -> float:
        """That got calls at once."""
        return max(pods for _, pods in self.course.pods)

    def p99(self) -> list[tuple[float, float]]:
        """Milliseconds, by the seconds in which requests were due."""
        due, done = self.course.observed.due, self.course.observed.done
        return [
            (float(start), Latencies.of((done - due)[inside].tolist()).p99 * 1000)
            for start in np.arange(0.0, _BEFORE + _AFTER, _WINDOW)
            if (inside := (due >= start) & (due < start + _WINDOW)).any()
        ]

    def refusals(self) -> list[tuple[float, float]]:
        """A second, by the seconds in which they were due."""
        due = self.course.observed.due[self.course.observed.status != OK]
        return [
            (float(start), float(((due >= start) & (due < start + _WINDOW)).sum()) / _WINDOW)
            for start in np.arange(0.0, _BEFORE + _AFTER, _WINDOW)
        ]

    def back_after(self) -> float:
        """Seconds from the step until p99 stays within 200 ms and nothing is refused."""
        bad = [at for at, value in self.p99() if value > 200]
        bad += [at for at, value in self.refusals() if value > 0]
        late = [at for at in bad if at >= _BEFORE]
        return max(late) + _WINDOW - _BEFORE if late else 0.0


def outcomes(profile: Profile) -> list[Outcome]:
    """All cases."""
    return [Outcome(case, case.course()) for case in cases(profile)]


def table(found: Sequence[Outcome]) -> Table:
    """For the page."""
    rows: list[list[Cell]] = []
    for one in found:
        after = one.course.observed.due >= _BEFORE
        waits = (one.course.observed.done - one.course.observed.due)[after]
        rows.append(
            [
                one.case.name,
                f"{one.case.scaled.behaviour.min_pods} → {one.most_pods:.0f}",
                one.refused,
                f"{one.refused / int(after.sum()):.1%}",
                f"{Latencies.of(waits.tolist()).p99 * 1000:,.0f}",
                f"{one.back_after():.0f}",
            ]
        )
    return Table(
        "The autoscaler under a step",
        ["searches a second", "inference pods", "refused (429)", "of those after the step",
         "p99 after the step, ms", "seconds until p99 ≤ 200 ms and no refusal"],
        rows,
    )  # fmt: skip
