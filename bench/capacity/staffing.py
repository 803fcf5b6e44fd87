"""How many pods a rate needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.capacity.cluster import Cluster, Offered, PodCores
from bench.capacity.model.arrivals import Stretch
from bench.capacity.model.gpu import Gpu
from bench.capacity.profile import Profile
from bench.load.criteria import CAPACITY, Criterion

_EDGE_BUSY = 0.6
"""Share of its core that an edge may use: edges cost little beside inference."""
_MIN_EDGES = 2
"""One may go."""
_MIN_SECONDS = 1.5
_ALONE = 5.0
_GROWTH = 1.3
_EXACTNESS = 0.02
"""Of a number of pods: two runs of the model differ by as much."""
_ONE_PROCESS_BUSY = 0.95
"""A thread or device does no more, however long the queue may be."""


@dataclass(frozen=True, slots=True)
class Staff:
    """Pods that hold a rate, and how they fare."""

    rate: float
    edges: int
    servers: int
    offered: Offered


def smallest(
    profile: Profile, rate: float, gpu: Gpu | None, cores: PodCores, requests: int = 6_000
) -> Staff:
    """The fewest inference pods that answer every search, and 99 % of them in time.

    Searches come at random (Poisson). gpu: of each inference pod; None: a CPU. requests: of one
    run of the model.
    """
    edges = max(_MIN_EDGES, math.ceil(rate * profile.edge.seconds / _EDGE_BUSY / cores.edge))
    low = high = max(1, math.ceil(rate / _most(profile, gpu, cores)))
    tried: dict[int, Offered] = {}

    def holds(servers: int) -> bool:
        cluster = Cluster(profile, edges, servers, cores, gpu)
        seconds = max(_MIN_SECONDS, requests / rate)
        tried[servers] = cluster.offer([Stretch(rate, seconds)])
        return in_time(profile).holds(tried[servers].observed)

    while not holds(high):
        low, high = high + 1, math.ceil(high * _GROWTH)
    while high - low > _EXACTNESS * high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return Staff(rate, edges, high, tried[high])


def in_time(profile: Profile) -> Criterion:
    """All answered, p99 within that of the highest rate (docs/performance.md, P3); a pack that
    takes long by itself has five times what a search takes alone."""
    seconds = max(CAPACITY.p99_seconds, _ALONE * profile.cpu_seconds)
    return Criterion(f"p99 ≤ {seconds * 1000:.0f} ms", None, seconds)


def _most(profile: Profile, gpu: Gpu | None, cores: PodCores) -> float:
    """Searches a second that one inference pod cannot exceed."""
    if gpu is None:
        return cores.inference / (profile.photo_seconds + profile.loop.seconds)
    photo = profile.works()[0].photo
    pixels = (photo.decode + photo.align) / photo.total * profile.photo_seconds
    loop = profile.loop.seconds * gpu.loop_factor
    device = gpu.detect.of(gpu.max_batch) + gpu.embed.of(gpu.max_batch)
    bounds = (1 / loop, cores.inference / (loop + pixels), gpu.max_batch / device)
    return min(bounds) * _ONE_PROCESS_BUSY
