"""An edge: one event loop, a limit of requests at work, and whom it asks."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from bench.capacity.model.clock import Clock, Process
from bench.capacity.model.cores import Cores, Thread
from bench.capacity.model.inference import Analyzer
from bench.capacity.model.work import FULL, LATE, OK, Work


class Choice(Enum):
    """Which inference server gets a call."""

    LEAST_BUSY = "least busy"
    """Of those that EDGE_INFERENCE_TARGETS names one by one: the fewest of this edge's calls."""
    IN_TURN = "in turn"
    """Of those behind one name, such as a headless service: gRPC's round robin."""


class EdgeServer:
    """One worker process."""

    def __init__(
        self,
        clock: Clock,
        cores: Cores,
        servers: Sequence[Analyzer],
        *,
        choice: Choice = Choice.LEAST_BUSY,
        max_in_flight: int = 64,
        first_turn: int = 0,
    ) -> None:
        """servers: may change while it runs. max_in_flight: EDGE_MAX_IN_FLIGHT."""
        self._clock = clock
        self._loop = Thread(cores)
        self._servers = servers
        self._choice = choice
        self._max_in_flight = max_in_flight
        self._turn = first_turn
        self._calls: dict[Analyzer, int] = {}
        self.at_work = 0

    def search(self, work: Work, deadline: float) -> Process[int]:
        """Answer a search: OK, FULL or LATE."""
        if self.at_work >= self._max_in_flight:
            yield from self._loop.work(work.edge_refusal.seconds, work.edge_refusal.wakes)
            return FULL
        self.at_work += 1
        yield from self._loop.work(work.edge_before.seconds, work.edge_before.wakes)
        server = self._next()
        self._calls[server] = self._calls.get(server, 0) + 1
        status = yield from server.analyze(work, deadline)
        self._calls[server] -= 1
        if status == OK:
            yield self._clock.after(work.pauses)
            yield from self._loop.work(work.edge_after.seconds, work.edge_after.wakes)
            if self._clock.now > deadline:
                status = LATE
        self.at_work -= 1
        return status

    def _next(self) -> Analyzer:
        self._turn = (self._turn + 1) % len(self._servers)
        if self._choice is Choice.IN_TURN:
            return self._servers[self._turn]
        in_turn = [*self._servers[self._turn :], *self._servers[: self._turn]]
        return min(in_turn, key=lambda server: self._calls.get(server, 0))
