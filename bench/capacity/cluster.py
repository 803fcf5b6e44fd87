"""The model of a cluster: edges behind a load balancer, inference pods behind one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from bench.capacity.model.arrivals import Stretch, poisson
from bench.capacity.model.background import background
from bench.capacity.model.clock import Clock
from bench.capacity.model.cores import Cores, Scheduling, Thread
from bench.capacity.model.edge import Choice, EdgeServer
from bench.capacity.model.gpu import Gpu, GpuServer
from bench.capacity.model.inference import Analyzer, InferenceLimits, InferenceServer
from bench.capacity.model.service import Callers
from bench.capacity.model.work import Work
from bench.capacity.profile import Profile
from bench.load.observed import Observed

NETWORK_SECONDS = 0.002
"""Of a search, between pods: assumed."""
VECTORS_SECONDS = 0.010
"""Of a search in a Milvus server, beyond a search in memory: assumed for an index in memory."""


PLACES = 32
"""EDGE_MAX_IN_FLIGHT in deploy/k8s."""


@dataclass(frozen=True, slots=True)
class PodCores:
    """Cores of one pod."""

    edge: int = 1
    inference: int = 1


@dataclass(frozen=True, slots=True)
class Offered:
    """What a cluster made of a load."""

    observed: Observed
    inference_busy: float
    """Share of the cores of inference pods that was used, 0 to 1."""
    edge_busy: float
    gpu_busy: float
    """Share of the time that a GPU computed; 0 without."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """So many pods of each kind. Their cores also have what processes take at any rate."""

    profile: Profile
    edges: int
    servers: int
    """Inference pods."""
    cores: PodCores = PodCores()
    gpu: Gpu | None = None
    """Of each inference pod; None: photos go through all stages on one thread of a CPU."""
    seed: int = 1

    def offer(self, stretches: Sequence[Stretch]) -> Offered:
        """Let people search at these rates, one after the other."""
        clock, random = Clock(), Random(self.seed)  # a simulation
        scheduling = Scheduling(shared_speed=self.profile.shared_speed)
        edge_cores = [Cores(clock, self.cores.edge, scheduling) for _ in range(self.edges)]
        server_cores = [Cores(clock, self.cores.inference, scheduling) for _ in range(self.servers)]
        servers = [server_on(clock, cores, self.gpu) for cores in server_cores]
        edges = [
            EdgeServer(
                clock,
                cores,
                servers,
                choice=Choice.IN_TURN,
                max_in_flight=PLACES,
                first_turn=random.randrange(10_000),
            )
            for cores in edge_cores
        ]
        seconds = sum(stretch.seconds for stretch in stretches)
        rest = self.profile.background
        for pods, share in ((edge_cores, rest.edge), (server_cores, rest.inference)):
            for pod in pods:
                clock.start(background(clock, Thread(pod), share, seconds, random, rest.burst))
        works = cluster_works(self.profile)
        callers = Callers(clock, edges, lambda: random.choice(works), random)
        callers.send(poisson(stretches, random))
        clock.run()
        gpu_seconds = sum(one.gpu_seconds for one in servers if isinstance(one, GpuServer))
        return Offered(
            callers.book.observed(),
            inference_busy=_busy(server_cores, clock.now),
            edge_busy=_busy(edge_cores, clock.now),
            gpu_busy=gpu_seconds / clock.now / self.servers,
        )


def server_on(clock: Clock, cores: Cores, gpu: Gpu | None) -> Analyzer:
    """An inference server: a session on a CPU, or one with this GPU."""
    if gpu is not None:
        return GpuServer(clock, cores, gpu)
    return InferenceServer(clock, cores, InferenceLimits(sessions=1))


def cluster_works(profile: Profile) -> list[Work]:
    """Requests that also cross a network and ask a Milvus server."""
    away = NETWORK_SECONDS + VECTORS_SECONDS
    return [replace(work, pauses=work.pauses + away) for work in profile.works()]


def _busy(pods: Sequence[Cores], seconds: float) -> float:
    return sum(pod.used_seconds / pod.count for pod in pods) / len(pods) / seconds
