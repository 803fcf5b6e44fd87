"""How much slower a core is while the others work too."""

from __future__ import annotations

import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bench.engine.bare import Bare, bare
from bench.kit.analyze import Policy
from bench.kit.world import World


def shared_speed(world: World, selfies: Path, rounds: int) -> float:
    """Speed of a core while all are busy, to its speed while the others are idle; at most 1.

    A process a core takes the same photos through all stages, alone and with the others in turns.
    selfies: folder with photos and nothing else. Raises StartFailed.
    """
    with ExitStack() as stack:
        loops = [stack.enter_context(bare(world, 1)) for _ in os.sched_getaffinity(0)]
        threads = stack.enter_context(ThreadPoolExecutor(len(loops)))

        def seconds_of(one: Bare) -> float:
            return one.load(selfies, Policy.SEARCH).latencies.p50

        def together() -> float:
            return statistics.mean(threads.map(seconds_of, loops))

        together()  # the first round is slower
        speeds: list[float] = [seconds_of(loops[0]) / together() for _ in range(rounds)]
    return min(1.0, statistics.median(speeds))
