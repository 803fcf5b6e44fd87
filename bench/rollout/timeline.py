"""A rehearsal over its time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.kit.result import Plot
from bench.rollout.journal import Journal, Outcome, Request
from bench.rollout.scenarios import Happened

Points = list[tuple[float, float]]
AT_ONCE, AGAIN, GIVEN_UP, WRONG = "right", "right, sent again", "given up", "wrong"
_SECONDS = "s since the start"


def plots(journal: Journal, begun: float, happened: Sequence[Happened]) -> list[Plot]:
    """How long every request took, and what first attempts met; the scenarios are shaded.

    begun: when the load began.
    """
    spans: dict[str, Points] = {}
    for one in happened:
        spans.setdefault(one.scenario, []).append((one.begun - begun, one.over - begun))
    return [
        Plot(
            f"Every request at {journal.rate:g} a second, from the moment it was due",
            "scatter",
            _SECONDS,
            "s until answered",
            waits(journal.requests, begun),
            spans,
        ),
        Plot(
            "What requests were answered the first time",
            "line",
            _SECONDS,
            "a second",
            answers(journal.requests, begun),
            spans,
        ),
    ]


def waits(requests: Sequence[Request], begun: float) -> dict[str, Points]:
    """(when due, seconds until its end) of every request, by what became of it."""
    series: dict[str, Points] = {}
    for request in requests:
        point = request.due - begun, request.seconds
        series.setdefault(kind_of(request), []).append(point)
    order = (AT_ONCE, AGAIN, GIVEN_UP, WRONG)
    return {kind: series[kind] for kind in order if kind in series}


def answers(requests: Sequence[Request], begun: float) -> dict[str, Points]:
    """First attempts a second by what they met, in seconds of when they were due."""
    counted: dict[str, Counter[int]] = {}
    for request in requests:
        said = "answered" if request.first.is_ok else request.first.said
        counted.setdefault(said, Counter())[int(request.due - begun)] += 1
    last = max((int(request.due - begun) for request in requests), default=0)
    return {
        said: [(float(second), float(of[second])) for second in range(last + 1)]
        for said, of in sorted(counted.items(), key=lambda one: (one[0] != "answered", one[0]))
    }


def kind_of(request: Request) -> str:
    """What became of a request."""
    match request.outcome:
        case Outcome.FAILED:
            return GIVEN_UP
        case Outcome.WRONG:
            return WRONG
        case Outcome.RIGHT:
            return AT_ONCE if len(request.attempts) == 1 else AGAIN
