"""How many pods a rate needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.capacity.cluster import PLACES, Cluster, Offered, PodCores
from bench.capacity.model.arrivals import Stretch
from bench.capacity.model.gpu import Gpu
from bench.capacity.profile import Profile
from bench.load.criteria import CAPACITY, Criterion

_EDGE_BUSY = 0.6
"""Share of its core that an edge may use: edges cost little beside inference."""
_EDGE_FULL = 0.35
"""Share of its places that searches may take that last half as long as they may: they come in
bunches."""
_MIN_EDGES = 2
"""One may go."""
_MIN_SECONDS = 6.0
_MIN_PHOTOS = 100
"""A run lasts as long as so many photos one after the other: a queue takes its time to grow."""
_WHOLE = 1_000.0
"""Searches a second up to which a cluster of CPUs is modelled as a whole. Beyond it one part of it
is: pods know nothing of one another, so ten such parts do ten times as much."""
_ALONE = 5.0
_HOPELESS = 8
"""Times the pods that the CPU alone would ask for."""
_GROWTH = 1.3
_EXACTNESS = 0.02
"""Of a number of pods: two runs of the model differ by as much."""
_ONE_PROCESS_BUSY = 0.95
"""A thread, core or device does no more, however long the queue may be."""


class NeverHolds(Exception):
    """No number of inference pods answers every search in time."""


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
    run of the model, at least. Raises NeverHolds.
    """
    parts = 1 if gpu is not None else max(1, round(rate / _WHOLE))
    if parts > 1:
        part = smallest(profile, rate / parts, gpu, cores, requests)
        return Staff(rate, part.edges * parts, part.servers * parts, part.offered)
    criterion = in_time(profile, gpu)
    edges = _edges(profile, rate, cores, criterion)
    low = high = max(1, math.ceil(rate / _most(profile, gpu, cores)))
    tried: dict[int, Offered] = {}

    def holds(servers: int) -> bool:
        cluster = Cluster(profile, edges, servers, cores, gpu)
        photos = _MIN_PHOTOS * profile.photo_seconds
        seconds = max(_MIN_SECONDS, photos, requests / rate)
        tried[servers] = cluster.offer([Stretch(rate, seconds)])
        return criterion.holds(tried[servers].observed)

    most = _HOPELESS * high
    while not holds(high):
        if high > most:
            raise NeverHolds(f"{profile.pack}: {high} pods do not hold {rate:g}/s")
        low, high = high + 1, math.ceil(high * _GROWTH)
    while high - low > _EXACTNESS * high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return Staff(rate, edges, high, tried[high])


def _edges(profile: Profile, rate: float, cores: PodCores, criterion: Criterion) -> int:
    """Edges that have the CPU, and the places for all searches that are at work at once."""
    by_cpu = rate * profile.edge.seconds / _EDGE_BUSY / cores.edge
    typical = criterion.p99_seconds / 2
    by_places = rate * typical / (PLACES * _EDGE_FULL)
    return max(_MIN_EDGES, math.ceil(by_cpu), math.ceil(by_places))


def in_time(profile: Profile, gpu: Gpu | None) -> Criterion:
    """All answered, p99 within that of the highest rate (docs/performance.md, P3); a pack that
    takes long by itself on a CPU has five times what a search takes alone."""
    if gpu is not None:
        return CAPACITY
    seconds = max(CAPACITY.p99_seconds, _ALONE * profile.cpu_seconds)
    return Criterion(f"p99 ≤ {seconds * 1000:.0f} ms", None, seconds)


def _most(profile: Profile, gpu: Gpu | None, cores: PodCores) -> float:
    """Searches a second that one inference pod cannot exceed."""
    if gpu is None:
        free = cores.inference * _ONE_PROCESS_BUSY - profile.background.inference
        return free / (profile.photo_seconds + profile.loop.seconds)
    photo = profile.works()[0].photo
    pixels = (photo.decode + photo.align) / photo.total * profile.photo_seconds
    loop = profile.loop.seconds * gpu.loop_factor
    device = gpu.detect.of(gpu.max_batch) + gpu.embed.of(gpu.max_batch)
    bounds = (1 / loop, cores.inference / (loop + pixels), gpu.max_batch / device)
    return min(bounds) * _ONE_PROCESS_BUSY
