"""Damaged images over HTTP, several at once, and what became of each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bench.kit.http_calls import HttpCalls, Request, RequestFailed, http_calls
from bench.kit.processes import Service
from bench.mutations.mutation import Mutation

NO_ANSWER = 0
"""In place of a status: the connection was lost, or nothing came."""
OK = 200
DEADLINE_SECONDS = 10.0
"""Of every request: the edge's default."""
_GRACE_SECONDS = 0.5
"""For the answer to come back over loopback, on a machine that has much to do."""
_CALLERS = 8
_TELL_EVERY = 10_000
_ROUTES = (*["/search/"] * 7, "/detect_faces/?keep=false")
"""One of eight: to look as thoroughly as an enrolment takes several times as long."""
EXPECTED = frozenset({OK, 413, 415, 422})
"""What an image can be: fine, too large, no image or damaged, without the faces that are needed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image."""

    mutation: Mutation
    """Without its bytes if all is well: there are many."""
    route: str
    status: int
    code: str
    """Of a refusal; "ok" of an answer, "no answer" where none came."""
    seconds: float

    @property
    def is_late(self) -> bool:
        """Whether its caller was kept beyond the deadline."""
        return self.seconds > DEADLINE_SECONDS + _GRACE_SECONDS

    @property
    def fault(self) -> str | None:
        """Why it should not have been so; None: all is well."""
        if self.is_late:
            return f"{self.seconds:.1f} s, beyond the deadline"
        if self.status not in EXPECTED:
            return f"{self.status} {self.code}" if self.status else self.code
        return None


def send_all(
    edge: Service,
    numbers: Iterable[int],
    make: Callable[[int], Mutation],
    may_go_on: Callable[[], bool],
) -> list[Outcome]:
    """Send each image once, 8 at a time; stop early if `may_go_on` says no. In order of number.

    make: the image of a number. may_go_on: asked whenever an image did not get what it should.
    """
    return asyncio.run(_send_all(edge, numbers, make, may_go_on))


async def _send_all(
    edge: Service,
    numbers: Iterable[int],
    make: Callable[[int], Mutation],
    may_go_on: Callable[[], bool],
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    waiting = iter(numbers)
    stopped = asyncio.Event()

    async def work(calls: HttpCalls) -> None:
        for number in waiting:
            if stopped.is_set():
                return
            route = _ROUTES[number % len(_ROUTES)]
            outcome = await _send(calls, edge.api_key, route, make(number))
            if outcome.fault is None:
                outcome = replace(outcome, mutation=replace(outcome.mutation, data=b""))
            elif not may_go_on():
                stopped.set()
            outcomes.append(outcome)
            if len(outcomes) % _TELL_EVERY == 0:
                print(f"{len(outcomes):,} images", flush=True)

    async with http_calls(edge.url) as calls, asyncio.TaskGroup() as workers:
        for _ in range(_CALLERS):
            workers.create_task(work(calls))
    return sorted(outcomes, key=lambda outcome: outcome.mutation.number)


async def _send(calls: HttpCalls, key: str, route: str, made: Mutation) -> Outcome:
    request = Request.with_photo("POST", route, made.data, api_key=key)
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(2 * DEADLINE_SECONDS):
            status, body = await calls.answer(request)
    except (RequestFailed, TimeoutError):
        return Outcome(made, route, NO_ANSWER, "no answer", time.perf_counter() - begun)
    return Outcome(made, route, status, _code(status, body), time.perf_counter() - begun)


def _code(status: int, body: bytes) -> str:
    if status == OK:
        return "ok"
    try:
        return str(json.loads(body)["code"])
    except (ValueError, KeyError, TypeError):
        return "no problem+json"
