"""Simulated time: what happens when, and processes that wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from functools import partial
from itertools import count
from typing import TypeAlias, TypeVar

Resume: TypeAlias = Callable[[], None]
Wait: TypeAlias = Callable[[Resume], None]
"""Something to wait for: it is told what to call when it is there."""
Result = TypeVar("Result")
Process: TypeAlias = Generator[Wait, None, Result]
"""A course of events, written down in order: it yields what it waits for."""


class Clock:
    """Seconds since the start of a simulation. Nothing here is random, or takes real time.

    What is due at one moment happens in the order in which it was asked for.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Resume]] = []
        self._numbers = count()

    def at(self, moment: float, resume: Resume) -> None:
        """Call it then, or now if that has passed."""
        heapq.heappush(self._due, (max(moment, self.now), next(self._numbers), resume))

    def after(self, seconds: float) -> Wait:
        """A wait of so long."""
        return lambda resume: self.at(self.now + seconds, resume)

    def start(self, process: Process[None]) -> None:
        """Let a process run from now on, for as long as it goes."""

        def step() -> None:
            wait = next(process, None)
            if wait is not None:
                wait(step)

        step()

    def start_at(self, moment: float, process: Process[None]) -> None:
        """The same, later."""
        self.at(moment, partial(self.start, process))

    def run(self, until: float = float("inf")) -> None:
        """Let time pass until then, or until nothing is due any more."""
        due = self._due
        while due and due[0][0] <= until:
            self.now, _, resume = heapq.heappop(due)
            resume()
        if until != float("inf"):
            self.now = max(self.now, until)
