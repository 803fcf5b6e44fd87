"""A cluster whose inference pods an autoscaler adds and takes away while people search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random

from bench.capacity.autoscaler import SYNC_SECONDS, Autoscaler, Behaviour
from bench.capacity.cluster import PLACES, cluster_works
from bench.capacity.model.arrivals import Stretch, poisson
from bench.capacity.model.clock import Clock, Process
from bench.capacity.model.cores import Cores, Scheduling
from bench.capacity.model.edge import Choice, EdgeServer
from bench.capacity.model.inference import Analyzer, InferenceServer
from bench.capacity.model.service import Callers
from bench.capacity.profile import Profile
from bench.load.observed import Observed


class Metric(Enum):
    """What the autoscaler looks at."""

    CPU = "CPU of a pod"
    """Cores used, over the last sync: metrics-server reads every 15 s."""
    IN_FLIGHT = "calls in flight in a pod"


@dataclass(frozen=True, slots=True)
class Scaled:
    """How a cluster scales."""

    profile: Profile
    behaviour: Behaviour
    """Of inference. Its target is in cores of CPU, or in calls in flight."""
    metric: Metric
    edges: int = 2
    start_seconds: float = 20.0
    """From the wish for a pod until calls reach it: schedule, start, readiness, name resolution."""
    cores: int = 2
    """Limit of an inference pod and of an edge."""
    max_in_flight: int = PLACES
    """EDGE_MAX_IN_FLIGHT in deploy/k8s."""
    seed: int = 1


@dataclass(slots=True)
class Course:
    """What happened."""

    observed: Observed
    pods: list[tuple[float, float]]
    """Inference pods that get calls, by seconds."""
    in_flight: list[tuple[float, float]]
    """Calls that inference has and has not answered, every second."""


@dataclass(slots=True)
class _Pod:
    cores: Cores
    server: InferenceServer
    used_before: float = 0.0
    in_flight: list[int] = field(default_factory=list)


class _Fleet:
    """The pods, and the one list of servers that all edges look at."""

    def __init__(self, clock: Clock, scaled: Scaled) -> None:
        self._clock = clock
        self._scaled = scaled
        self._ready: list[_Pod] = []
        self._wanted = scaled.behaviour.min_pods
        self.servers: list[Analyzer] = []
        self.course: list[tuple[float, float]] = []
        self.in_flight: list[tuple[float, float]] = []
        for _ in range(self._wanted):
            self._add()

    def scale(self, until: float) -> Process[None]:
        """What the autoscaler does, every so often."""
        autoscaler = Autoscaler(self._scaled.behaviour)
        while self._clock.now < until:
            yield self._clock.after(SYNC_SECONDS)
            metrics = [self._metric(pod) for pod in self._ready]
            wanted = autoscaler.pods(self._clock.now, self._wanted, metrics)
            for _ in range(self._wanted, wanted):
                self._clock.at(self._clock.now + self._scaled.start_seconds, self._add)
            for _ in range(wanted, self._wanted):
                self._take()
            self._wanted = wanted

    def watch(self, until: float) -> Process[None]:
        """Note what is in flight every second."""
        while self._clock.now < until:
            calls = [pod.server.in_flight for pod in self._ready]
            for pod, count in zip(self._ready, calls, strict=True):
                pod.in_flight.append(count)
            self.in_flight.append((self._clock.now, float(sum(calls))))
            yield self._clock.after(1.0)

    def _add(self) -> None:
        cores = Cores(
            self._clock,
            self._scaled.cores,
            Scheduling(shared_speed=self._scaled.profile.shared_speed),
        )
        pod = _Pod(cores, InferenceServer(self._clock, cores))
        self._ready.append(pod)
        self.servers.append(pod.server)
        self._note()

    def _take(self) -> None:
        # It ends what it has: no call is lost.
        if len(self._ready) > 1:
            self.servers.remove(self._ready.pop().server)
            self._note()

    def _note(self) -> None:
        # Of several changes at one moment the last one counts.
        if self.course and self.course[-1][0] == self._clock.now:
            self.course.pop()
        self.course.append((self._clock.now, float(len(self._ready))))

    def _metric(self, pod: _Pod) -> float:
        used, pod.used_before = pod.cores.used_seconds - pod.used_before, pod.cores.used_seconds
        counts, pod.in_flight = pod.in_flight, []
        if self._scaled.metric is Metric.CPU:
            return used / SYNC_SECONDS
        return sum(counts) / len(counts) if counts else 0.0


def course_of(scaled: Scaled, stretches: Sequence[Stretch]) -> Course:
    """Let people search at these rates, one after the other."""
    clock, random = Clock(), Random(scaled.seed)  # a simulation
    fleet = _Fleet(clock, scaled)
    scheduling = Scheduling(shared_speed=scaled.profile.shared_speed)
    edges = [
        EdgeServer(
            clock,
            Cores(clock, scaled.cores, scheduling),
            fleet.servers,
            choice=Choice.IN_TURN,
            max_in_flight=scaled.max_in_flight,
        )
        for _ in range(scaled.edges)
    ]
    works = cluster_works(scaled.profile)
    callers = Callers(clock, edges, lambda: random.choice(works), random)
    callers.send(poisson(stretches, random))
    lasts = sum(stretch.seconds for stretch in stretches)
    clock.start(fleet.scale(lasts))
    clock.start(fleet.watch(lasts))
    clock.run()
    return Course(
        callers.book.observed(),
        [*fleet.course, (lasts, fleet.course[-1][1])],
        fleet.in_flight,
    )
