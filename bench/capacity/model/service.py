"""The whole service: who sends, which edge answers, and what became of every request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from bench.capacity.model.clock import Clock, Process
from bench.capacity.model.cores import Thread
from bench.capacity.model.edge import EdgeServer
from bench.capacity.model.work import Work
from bench.load.observed import Observed


@dataclass(slots=True)
class Book:
    """What became of each request, in the order in which they ended."""

    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)

    def observed(self, client_cpu_seconds: float = 0.0) -> Observed:
        """As a generator of load would have written it down. Raises ValueError if nothing ended."""
        if not self.due:
            raise ValueError("no request ended")
        order = np.argsort(self.due, kind="stable")
        return Observed(
            due=np.array(self.due)[order],
            sent=np.array(self.sent)[order],
            done=np.array(self.done)[order],
            status=np.array(self.status, dtype=np.int64)[order],
            is_right=np.ones(len(order), dtype=np.bool_),
            generator_cpu_seconds=client_cpu_seconds,
            connections=0,
        )


class Callers:
    """Those who search. They send when it is due, whatever becomes of the last request.

    Any edge may get a request, as behind a Service. (In turn all edges would go round in step, and
    two that ask the same server would meet there every time.)
    """

    def __init__(
        self,
        clock: Clock,
        edges: Sequence[EdgeServer],
        draw: Callable[[], Work],
        random: Random,
        *,
        timeout_seconds: float = 10.0,
        thread: Thread | None = None,
        lateness: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """edges: may change while it runs. draw: the next request. thread: that sends and reads,
        where it shares the machine; None: clients are elsewhere. lateness: seconds by which the
        next request is sent too late.
        """
        self._clock = clock
        self._edges = edges
        self._draw = draw
        self._timeout_seconds = timeout_seconds
        self._thread = thread
        self._lateness = lateness
        self._random = random
        self.book = Book()

    def send(self, arrivals: Iterable[float]) -> None:
        """Have a request sent at each of these moments."""
        for due in arrivals:
            self._clock.start_at(due + self._lateness(), self._request(due))

    def _request(self, due: float) -> Process[None]:
        work = self._draw()
        sent = self._clock.now
        if self._thread is not None:
            yield from self._thread.work(work.send.seconds, work.send.wakes)
        edge = self._random.choice(self._edges)
        status = yield from edge.search(work, due + self._timeout_seconds)
        if self._thread is not None:
            yield from self._thread.work(work.receive.seconds, work.receive.wakes)
        self.book.due.append(due)
        self.book.sent.append(sent)
        self.book.done.append(self._clock.now)
        self.book.status.append(status)
