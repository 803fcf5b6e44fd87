"""An inference server on a CPU: an event loop, and threads that take photos through all stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.capacity.model.clock import Clock, Process
from bench.capacity.model.cores import Cores, Pool, Thread
from bench.capacity.model.work import FULL, LATE, OK, Work


class Analyzer(Protocol):
    """Whoever finds faces on photos."""

    in_flight: int
    """Calls that it has taken and not answered."""

    def analyze(self, work: Work, deadline: float) -> Process[int]:
        """Answer a call: OK, FULL or LATE. deadline: on the clock."""
        ...


@dataclass(frozen=True, slots=True)
class InferenceLimits:
    """Settings of an inference server that decide here."""

    sessions: int = 1
    """INFERENCE_SESSIONS."""
    queue_items: int = 256
    """INFERENCE_QUEUE_ITEMS."""


class InferenceServer:
    """One process. A photo has a thread for itself from its decoding to its embedding."""

    def __init__(self, clock: Clock, cores: Cores, limits: InferenceLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits or InferenceLimits()
        self._loop = Thread(cores)
        self._sessions = Pool(cores, self._limits.sessions)
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Photos without a thread."""
        return self._sessions.waiting

    def analyze(self, work: Work, deadline: float) -> Process[int]:
        """As `Analyzer` says."""
        if self.in_flight >= self._limits.queue_items:
            yield from self._loop.work(work.loop_refusal.seconds, work.loop_refusal.wakes)
            return FULL
        self.in_flight += 1
        yield from self._loop.work(work.loop_before.seconds, work.loop_before.wakes)
        thread = yield from self._sessions.thread()
        # Late work is dropped before it costs a stage.
        is_late = self._clock.now > deadline
        if not is_late:
            yield from thread.work(work.photo.total)
        self._sessions.give_back(thread)
        yield from self._loop.work(work.loop_after.seconds, work.loop_after.wakes)
        self.in_flight -= 1
        return LATE if is_late else OK
