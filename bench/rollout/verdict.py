"""Whether a scenario kept its promise. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.load.observed import NO_ANSWER
from bench.rollout.haproxy_config import Routed
from bench.rollout.journal import Attempt, Journal, Outcome, Request
from bench.rollout.scenarios import PROMISES, Happened, Promise, Promised

REFUSALS = frozenset(
    {
        "503 inference_unavailable",
        "503 vectors_unavailable",
        "503 records_unavailable",
        "503 photos_unavailable",
        "503 no_edge_is_ready",
        "429 overloaded",
    }
)
"""That say when to come back. The last but one is the balancer's own."""
_MOST_LISTED = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """One scenario."""

    happened: Happened
    promised: Promised
    requests: Sequence[Request]
    """All that were due from its beginning to the end of the quiet after it."""
    broken: Sequence[str]
    """Against the promise, in words; empty: it was kept."""

    @property
    def failed_first(self) -> int:
        """Requests whose first attempt was not answered."""
        return sum(not request.first.is_ok for request in self.requests)

    @property
    def not_answered(self) -> int:
        """Requests that were given up."""
        return sum(request.outcome is Outcome.FAILED for request in self.requests)

    @property
    def wrong(self) -> int:
        """Requests with a wrong answer."""
        return sum(request.outcome is Outcome.WRONG for request in self.requests)

    @property
    def back_seconds(self) -> float:
        """From the end of the fault until nothing failed any more."""
        return back_seconds(self.happened, self.requests)


def judged(
    journal: Journal, happened: Happened, served_by: Mapping[str, Routed], begun: float
) -> Judged:
    """What became of the requests of a scenario, held against what was promised.

    served_by: what the balancer says, by the ids of attempts. begun: when the load began, for times
    in what is told.
    """
    promised = PROMISES[happened.scenario]
    requests = journal.between(happened.begun, happened.end)
    broken = [*happened.broken, *_against(promised.promise, happened, requests, served_by, begun)]
    late = back_seconds(happened, requests)
    if late > promised.back_seconds:
        broken.append(f"requests failed until {late:.1f} s after its end")
    return Judged(happened, promised, requests, broken)


def back_seconds(happened: Happened, requests: Sequence[Request]) -> float:
    """From the end of the fault to the last attempt after it that failed; 0: none did."""
    failed = [
        attempt.sent
        for request in requests
        for attempt in request.attempts
        if not attempt.is_ok and attempt.sent >= happened.over
    ]
    return max(failed, default=happened.over) - happened.over


def _against(
    promise: Promise,
    happened: Happened,
    requests: Sequence[Request],
    served_by: Mapping[str, Routed],
    begun: float,
) -> list[str]:
    found = [
        f"{_at(request.first, begun)}: a wrong answer"
        for request in requests
        if request.outcome is Outcome.WRONG
    ]
    match promise:
        case Promise.UNNOTICED:
            found += [_told(attempt, served_by, begun) for attempt in _failed(requests)]
        case Promise.IN_FLIGHT:
            found += [
                _told(attempt, served_by, begun)
                for attempt in _failed(requests)
                if not _was_there(attempt, happened, served_by)
            ]
            found += _given_up(requests, begun)
        case Promise.REFUSED | Promise.AWAY:
            found += [
                _told(attempt, served_by, begun)
                for attempt in _failed(requests)
                if not _is_clean(attempt)
            ]
            if promise is Promise.REFUSED:
                found += _given_up(requests, begun)
    return found[:_MOST_LISTED] + [f"… and {len(found) - _MOST_LISTED} more"] * (
        len(found) > _MOST_LISTED
    )


def _failed(requests: Sequence[Request]) -> Iterator[Attempt]:
    for request in requests:
        yield from (attempt for attempt in request.attempts if not attempt.is_ok)


def _given_up(requests: Sequence[Request], begun: float) -> list[str]:
    return [
        f"{_at(request.first, begun)}: given up after {len(request.attempts)} attempts"
        for request in requests
        if request.outcome is Outcome.FAILED
    ]


def _was_there(attempt: Attempt, happened: Happened, served_by: Mapping[str, Routed]) -> bool:
    if not (attempt.sent <= happened.over and attempt.done >= happened.begun):
        return False
    routed = served_by.get(attempt.request_id)
    if routed is None:
        # HAProxy neither answers nor logs where a kept connection to an edge broke under a request:
        # it hangs up, so that the client sends it again. No other edge broke then.
        return attempt.status == NO_ANSWER and bool(happened.victims)
    return routed.server in happened.victims


def _is_clean(attempt: Attempt) -> bool:
    return attempt.said in REFUSALS and attempt.retry_after is not None


def _told(attempt: Attempt, served_by: Mapping[str, Routed], begun: float) -> str:
    routed = served_by.get(attempt.request_id)
    where = "nowhere" if routed is None else f"{routed.server}, {routed.ended}"
    return f"{_at(attempt, begun)}: {attempt.said} ({where})"


def _at(attempt: Attempt, begun: float) -> str:
    return f"at {attempt.sent - begun:.1f} s"
