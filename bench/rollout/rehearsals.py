"""The scenarios, step by step, on a cluster that is under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.rollout.cluster import Cluster
from bench.rollout.held import Held
from bench.rollout.pods import Pod, Role
from bench.rollout.process import Process
from bench.rollout.scenarios import PROMISES, Happened, Scenario

_OK = 200
_NOT_READY = 503
_GRACE_SECONDS = 30.0
"""For a store to end in: what Kubernetes gives a pod that names none."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long things last, in seconds."""

    hang: float
    """Until the liveness probe has failed often enough."""
    gone: float
    """How long inference is away as a whole."""
    quiet: float
    """After a scenario, before the next; longer where callers are promised no more than that."""


@dataclass(slots=True)
class _Story:
    """What there is to tell of a scenario, as it goes."""

    victims: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


class Rehearsal:
    """One scenario after the other."""

    def __init__(self, cluster: Cluster, lengths: Lengths, held: Sequence[bytes]) -> None:
        """held: requests to be in flight while a node drains."""
        self._cluster = cluster
        self._lengths = lengths
        self._held = held
        self._steps: Mapping[Scenario, Callable[[], _Story]] = {
            Scenario.INFERENCE_UPDATE: lambda: self._update(Role.INFERENCE),
            Scenario.EDGE_UPDATE: lambda: self._update(Role.EDGE),
            Scenario.DRAIN: self._drain,
            Scenario.EDGE_CRASH: lambda: self._crash(self._cluster.edges[0]),
            Scenario.INFERENCE_CRASH: lambda: self._crash(self._cluster.inferences[0]),
            Scenario.EDGE_HANG: lambda: self._hang(self._cluster.edges[0]),
            Scenario.INFERENCE_HANG: lambda: self._hang(self._cluster.inferences[0]),
            Scenario.POSTGRES_RESTART: lambda: self._restart(
                self._cluster.postgres.process, self._cluster.postgres.start
            ),
            Scenario.VECTORS_RESTART: lambda: self._restart(
                self._cluster.milvus.process, self._cluster.milvus.start
            ),
            Scenario.INFERENCE_GONE: self._without_inference,
        }

    def run(self, scenario: Scenario) -> Happened:
        """Do it, and let it be quiet afterwards. Raises StartFailed."""
        cluster = self._cluster
        cluster.note(f"— {scenario}")
        retired = len(cluster.retired)
        begun = time.monotonic()
        story = self._steps[scenario]()
        over = time.monotonic()
        # As long as something may still fail by the promise: what fails later is held against it.
        cluster.pass_time(max(self._lengths.quiet, PROMISES[scenario].back_seconds))
        unclean = tuple(
            f"{one.name} ended with {one.exit_code} after {one.seconds:.1f} s"
            for one in cluster.retired[retired:]
            if not one.is_clean
        )
        return Happened(
            scenario,
            begun,
            over,
            time.monotonic(),
            story.victims,
            story.seen,
            (*story.broken, *unclean),
        )

    def _update(self, role: Role) -> _Story:
        cluster = self._cluster
        former = tuple(cluster.edges if role is Role.EDGE else cluster.inferences)
        for pod in former:
            successor = cluster.grow(role)
            cluster.pass_time(successor.times.min_ready)
            # The next one starts while this one still drains, as a Deployment has it.
            cluster.retire(pod)
        cluster.until_retired()
        return _Story(seen=_ends(cluster, len(former)))

    def _drain(self) -> _Story:
        cluster = self._cluster
        edge, inference = cluster.edges[0], cluster.inferences[0]
        with Held(cluster.balancer.port, self._held) as held:
            for pod in (edge, inference):
                cluster.retire(pod)
            # No surge: a node that is drained takes both at once, and their successors start
            # elsewhere only then.
            successors = [cluster.start(role) for role in (Role.EDGE, Role.INFERENCE)]
            cluster.pass_time(edge.times.pre_stop + 1.0)
            statuses = held.finish()
        for pod in successors:
            cluster.until_ready(pod)
            cluster.admit(pod)
        cluster.until_retired()
        answered = statuses.count(_OK)
        told = f"{answered} of {len(statuses)} requests that were half sent were answered"
        broken = () if answered == len(statuses) else (f"half sent, then: {statuses}",)
        return _Story(seen=(told, *_ends(cluster, 2)), broken=broken)

    def _crash(self, pod: Pod) -> _Story:
        victims = self._slots(pod)
        self._cluster.crash(pod)
        self._cluster.bring_back(pod)
        return _Story(victims=victims)

    def _hang(self, pod: Pod) -> _Story:
        cluster = self._cluster
        victims = self._slots(pod)
        cluster.note(f"{pod.name} hangs")
        pod.process.freeze()
        cluster.pass_time(self._lengths.hang)
        cluster.crash(pod)
        cluster.bring_back(pod)
        return _Story(victims=victims, seen=tuple(cluster.balancer.notices()[-2:]))

    def _restart(self, process: Process, start: Callable[[], None]) -> _Story:
        cluster = self._cluster
        begun = time.monotonic()
        cluster.note(f"{process.name} is restarted")
        process.ask_to_end()
        while process.is_running:
            if time.monotonic() - begun > _GRACE_SECONDS:
                cluster.note(f"{process.name}: its grace period is over")
                process.end_at_once()
                break
            cluster.tick()
        code = process.ended()
        start()
        cluster.note(f"{process.name} is back")
        away = time.monotonic() - begun
        return _Story(seen=(f"{process.name} ended with {code}, was away for {away:.1f} s",))

    def _without_inference(self) -> _Story:
        cluster = self._cluster
        pods = tuple(cluster.inferences)
        for pod in pods:
            cluster.crash(pod)
        cluster.publish()
        cluster.pass_time(self._lengths.gone)
        seen: list[str] = []
        broken: list[str] = []
        for edge in cluster.edges:
            status, body = edge.readyz()
            said = f"{edge.name} says {status}: {body.get('detail')}"
            is_told = status == _NOT_READY and "inference" in str(body.get("detail"))
            (seen if is_told and edge.is_alive() else broken).append(said)
        for pod in pods:
            pod.process.start()
            cluster.note(f"{pod.name} starts again")
        for pod in pods:
            cluster.until_ready(pod)
            cluster.inferences.append(pod)
        cluster.publish()
        return _Story(seen=tuple(seen), broken=tuple(broken))

    def _slots(self, pod: Pod) -> tuple[str, ...]:
        return (self._cluster.balancer.slot(pod.name),) if pod.role is Role.EDGE else ()


def _ends(cluster: Cluster, count: int) -> tuple[str, ...]:
    return tuple(
        f"{one.name} ended {one.seconds:.1f} s after its deletion, of {one.grace:.0f} s"
        for one in cluster.retired[-count:]
    )
