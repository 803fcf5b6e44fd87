"""Sends each request when it is due, and writes down what became of it."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable

import numpy as np

from bench.load.arrivals import Arrivals
from bench.load.observed import NO_ANSWER, Observed

_LEAD_SECONDS = 0.05
"""Before the first request is due, so that it is not late already."""


class Recorder:
    """Times and answers of a run, by the number of the request."""

    def __init__(self, arrivals: Arrivals) -> None:
        count = arrivals.count
        self.started = time.perf_counter() + _LEAD_SECONDS
        """time.perf_counter() at which request 0 is due."""
        self.all_done = asyncio.get_running_loop().create_future()
        self._due = np.array([arrivals.due(number) for number in range(count)])
        self._sent = np.zeros(count)
        self._done = np.zeros(count)
        self._status = np.full(count, NO_ANSWER)
        self._is_right = np.zeros(count, dtype=bool)
        self._open = count
        self._cpu_before = _cpu_seconds()

    def sent(self, number: int) -> None:
        """The request goes out now."""
        self._sent[number] = time.perf_counter() - self.started

    def done(self, number: int, status: int, *, is_right: bool) -> None:
        """Its answer is complete now; NO_ANSWER: none will come."""
        self._done[number] = time.perf_counter() - self.started
        self._status[number] = status
        self._is_right[number] = is_right
        self._open -= 1
        if not self._open:
            self.all_done.set_result(None)

    def observed(self, connections: int) -> Observed:
        """Everything, once `all_done` is."""
        return Observed(
            due=self._due,
            sent=self._sent,
            done=self._done,
            status=self._status,
            is_right=self._is_right,
            generator_cpu_seconds=_cpu_seconds() - self._cpu_before,
            connections=connections,
            started=self.started,
        )


async def drive(arrivals: Arrivals, recorder: Recorder, send: Callable[[int], None]) -> None:
    """Call `send` with each request's number when it is due; returns when all are answered.

    `send` must not block: it starts the request, and whoever gets the answer tells the recorder.
    """
    loop = asyncio.get_running_loop()
    begun = 0

    def tick() -> None:
        nonlocal begun
        due = arrivals.due_by(time.perf_counter() - recorder.started)
        while begun < due:
            send(begun)
            begun += 1
        if begun < arrivals.count:
            wait = recorder.started + arrivals.due(begun) - time.perf_counter()
            # The loop's timers know milliseconds only, and what fires early would spin.
            loop.call_later(max(0.0, wait) + 0.0005, tick)

    tick()
    await recorder.all_done


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
