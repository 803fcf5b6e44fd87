"""Clients that search without a pause, and what became of each of their requests."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import httpx2

from tests.integration.processes import Running
from tests.integration.system import KEY

WAIT_SECONDS = 60.0
"""Generous: a test machine may be busy with other things."""


@dataclass(frozen=True)
class Outcome:
    """Of one search."""

    request_id: str
    status: int | None
    """None: no answer came."""


class SearchLoad:
    """So many clients, each with a connection of its own, until they are stopped.

    selfie: of an encoding that may be followed by anything.

    A client ends at the first request that gets no answer: the server is gone for it.
    """

    def __init__(self, url: str, selfie: bytes, *, clients: int = 6, key: str = KEY) -> None:
        self._url = url
        self._selfie = selfie
        self._key = key
        self._clients = clients
        self._changed = threading.Condition()
        self._outcomes: list[Outcome] = []
        self._is_over = False
        self._threads = ThreadPoolExecutor(clients)
        self._working: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._working = [self._threads.submit(self._search, n) for n in range(self._clients)]
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._threads.shutdown()
        for one in self._working:
            one.result()

    def wait_for(self, more: int) -> None:
        """Return when so many more searches have ended. Fails when the time is over."""
        end = time.monotonic() + WAIT_SECONDS
        with self._changed:
            wanted = len(self._outcomes) + more
            while len(self._outcomes) < wanted:
                assert self._changed.wait(end - time.monotonic()), "searches no longer end"

    def outcomes(self) -> list[Outcome]:
        """Every search that has ended so far."""
        with self._changed:
            return list(self._outcomes)

    def _search(self, number: int) -> None:
        with httpx2.Client(base_url=self._url, timeout=WAIT_SECONDS) as client:
            for count in itertools.count():
                if self._is_over:
                    return
                request_id = f"load-{number}-{count}"
                outcome = Outcome(request_id, self._status_of(client, request_id))
                with self._changed:
                    self._outcomes.append(outcome)
                    self._changed.notify_all()
                if outcome.status is None:
                    return

    def _status_of(self, client: httpx2.Client, request_id: str) -> int | None:
        headers = {"X-Api-Key": self._key, "X-Request-Id": request_id}
        # The end differs: the edge remembers what a selfie showed.
        image = self._selfie + request_id.encode()
        try:
            answer = client.post("/search/", files={"image": image}, headers=headers)
        except httpx2.TransportError:
            return None
        return answer.status_code


def accepted(edge: Running) -> set[str]:
    """The ids of all searches that an edge took and ended, by its log."""
    lines = edge.events("request")
    # Inference logs the same ids, with the name of a gRPC status.
    return {str(line["request_id"]) for line in lines if isinstance(line["status"], int)}


def assert_none_was_lost(outcomes: list[Outcome], taken: set[str]) -> None:
    """Whatever was taken was answered well, and what was not answered was never taken."""
    answered = {outcome.request_id for outcome in outcomes if outcome.status is not None}
    assert {outcome.status for outcome in outcomes} <= {200, None}
    assert taken & {outcome.request_id for outcome in outcomes} == answered
