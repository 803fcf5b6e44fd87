"""What processes do while nobody asks them anything: timers, probes, polling."""

from __future__ import annotations

from random import Random

from bench.capacity.model.clock import Clock, Process
from bench.capacity.model.cores import Thread


def background(
    clock: Clock, thread: Thread, share: float, until: float, random: Random, burst: float = 0.001
) -> Process[None]:
    """Take this share of a core until then, in bursts of so many seconds at random moments."""
    if share <= 0:
        return
    pause = burst * (1 - share) / share
    while clock.now < until:
        yield clock.after(random.expovariate(1 / pause))
        yield from thread.work(burst)
