"""Everything that runs: stores, balancer, names, and pods that come and go."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bench.kit.child import Setting, StartFailed
from bench.kit.world import World
from bench.rollout import vectors
from bench.rollout.balancer import Balancer, balancer
from bench.rollout.manifests import PodSpec, pod_spec
from bench.rollout.name_server import NAME, Addresses, name_server
from bench.rollout.pods import DNS_LAG_SECONDS, Pod, Role, edge_pod, inference_pod
from bench.rollout.postgres import PostgreSQL, postgresql
from bench.rollout.retiring import Retired, Retiring
from bench.rollout.vectors import Milvus

_TICK_SECONDS = 0.05
_READY_SECONDS = 180.0
_PROBE_SECONDS = 0.25
_RESTART_SECONDS = 1.0
"""Until a container that ended is started again."""
_FREE_PORTS = range(20_000, 32_000)
"""Below those that outgoing connections take."""
_HOSTS = ("127.0.0.1", "127.0.1.1", "127.0.2.1")


@dataclass(slots=True)
class Note:
    """Something that was done, or that happened."""

    at: float
    """time.monotonic()."""
    text: str


@dataclass(slots=True)
class Cluster:
    """To be used from the main thread. Whatever waits here keeps the cluster going meanwhile."""

    postgres: PostgreSQL
    milvus: Milvus
    balancer: Balancer
    names: Addresses
    storage: Mapping[str, Setting]
    """Settings of whoever opens the stores."""
    make_edge: Callable[[int], Pod]
    make_inference: Callable[[int], Pod]
    edges: list[Pod] = field(default_factory=list)
    """In service, oldest first; as are the next."""
    inferences: list[Pod] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    ended_by_themselves: list[str] = field(default_factory=list)
    """Pods that nobody had told to."""
    _retiring: list[Retiring] = field(default_factory=list)
    _made: dict[Role, int] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Write down what is done now."""
        self.notes.append(Note(time.monotonic(), text))
        print(f"  {text}", flush=True)

    def start(self, role: Role) -> Pod:
        """A new pod, started and in no service yet."""
        number = self._made[role] = self._made.get(role, 0) + 1
        pod = self.make_edge(number) if role is Role.EDGE else self.make_inference(number)
        pod.process.start()
        self.note(f"{pod.name} starts")
        return pod

    def until_ready(self, pod: Pod) -> None:
        """Return when its probe says so. Raises StartFailed."""
        self.until(lambda: pod.is_ready, f"{pod.name} is ready", of=pod, every=_PROBE_SECONDS)

    def admit(self, pod: Pod) -> None:
        """It is in service: the balancer, or the name, knows it."""
        self.note(f"{pod.name} is in service")
        if pod.role is Role.EDGE:
            self.edges.append(pod)
            self.balancer.add(pod.name, pod.host, pod.port)
        else:
            self.inferences.append(pod)
            self.publish()

    def grow(self, role: Role) -> Pod:
        """A new pod in service."""
        pod = self.start(role)
        self.until_ready(pod)
        self.admit(pod)
        return pod

    def retire(self, pod: Pod) -> None:
        """Delete a pod; returns at once, and the rest of its life takes its time."""
        self.note(f"{pod.name} is deleted")
        if pod.role is Role.EDGE:
            self.edges.remove(pod)
        else:
            self.inferences.remove(pod)
            self.publish()
        self._retiring.append(Retiring(pod, time.monotonic()))

    def publish(self) -> None:
        """Tell the name's addresses: of the inference servers that are in service."""
        self.names.publish([pod.host for pod in self.inferences])

    def until(
        self,
        is_so: Callable[[], bool],
        what: str,
        *,
        of: Pod | None = None,
        every: float = 0.0,
    ) -> None:
        """Return when it is so. Raises StartFailed if that takes too long, or the pod ended.

        every: seconds between two looks.
        """
        end = time.monotonic() + _READY_SECONDS
        while not is_so():
            if of is not None and not of.process.is_running:
                raise StartFailed(f"not {what}:\n{of.process.output[-2000:]}")
            if time.monotonic() > end:
                raise StartFailed(f"not within {_READY_SECONDS:g} s: {what}")
            self.tick()
            self.pass_time(every)

    def pass_time(self, seconds: float) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.tick()

    def until_retired(self) -> None:
        """Return when no deleted pod is left."""
        self.until(lambda: not self._retiring, "deleted pods have ended")

    def tick(self) -> None:
        """A moment of the cluster's own work."""
        for one in list(self._retiring):
            done = one.step(time.monotonic(), self.balancer, self.note)
            if done is not None:
                self._retiring.remove(one)
                self.retired.append(done)
        for pod in (*self.edges, *self.inferences):
            if not pod.process.is_running and pod.name not in self.ended_by_themselves:
                self.ended_by_themselves.append(pod.name)
        time.sleep(_TICK_SECONDS)

    def crash(self, pod: Pod) -> None:
        """kill -9. The balancer is not told: it has to find out."""
        self.note(f"{pod.name} is killed")
        if pod.role is Role.EDGE:
            self.edges.remove(pod)
        else:
            self.inferences.remove(pod)
        pod.process.kill()

    def bring_back(self, pod: Pod) -> None:
        """Start it again where it was, as a container is restarted in its pod."""
        if pod.role is Role.INFERENCE:
            self.publish()  # without it: whoever is not ready is not told
        self.pass_time(_RESTART_SECONDS)
        pod.process.start()
        self.note(f"{pod.name} starts again")
        self.until_ready(pod)
        self.note(f"{pod.name} is ready again")
        if pod.role is Role.EDGE:
            self.edges.append(pod)
        else:
            self.inferences.append(pod)
            self.publish()

    def end(self) -> None:
        """End every pod."""
        retiring = [one.pod for one in self._retiring]
        for pod in (*self.edges, *retiring, *self.inferences):
            pod.process.end()


@contextmanager
def cluster(old: World, new: World) -> Iterator[Cluster]:
    """Stores and a balancer, without any pod yet; ended afterwards. Raises StartFailed.

    old: what the first two pods of each kind are started from; new: all others.
    """
    edge_port, inference_port, milvus_port, public_port = _free_ports(4)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        postgres = stack.enter_context(postgresql(new))
        milvus = Milvus(folder / "milvus", milvus_port, new)
        stack.callback(milvus.process.end)
        milvus.start()
        names = Addresses(DNS_LAG_SECONDS)
        names_port = stack.enter_context(name_server(names))
        front = stack.enter_context(balancer(new, public_port))
        storage: dict[str, Setting] = {
            "STORAGE_DATA_DIR": folder / "data",
            "STORAGE_PHOTOS_URL": f"file://{folder / 'photos'}",
            "STORAGE_RECORDS_URL": postgres.url,
            "STORAGE_VECTORS_URL": milvus.url,
            **vectors.SETTINGS,
        }
        target = f"dns://127.0.0.1:{names_port}/{NAME}:{inference_port}"

        edge_spec, inference_spec = pod_spec("edge"), pod_spec("inference")

        def make_inference(number: int) -> Pod:
            is_old = number <= FIRST_PODS
            spec = _known_to(old, new, inference_spec) if is_old else inference_spec
            return inference_pod(number, inference_port, old if is_old else new, spec)

        def make_edge(number: int) -> Pod:
            is_old = number <= FIRST_PODS
            spec = _known_to(old, new, edge_spec) if is_old else edge_spec
            return edge_pod(number, edge_port, old if is_old else new, spec, target, storage)

        made = Cluster(postgres, milvus, front, names, storage, make_edge, make_inference)
        stack.callback(made.end)
        yield made


FIRST_PODS = 2
"""Of each kind, before anything is exchanged."""


def _known_to(old: World, new: World, spec: PodSpec) -> PodSpec:
    """Without settings, for another source tree: one that does not know them would not start."""
    if old == new:
        return spec
    drains = {name: value for name, value in spec.settings.items() if "DRAIN_DELAY" in name}
    return replace(spec, settings=drains)


def _free_ports(count: int) -> list[int]:
    free: list[int] = []
    for port in Random().sample(_FREE_PORTS, len(_FREE_PORTS)):
        if len(free) == count:
            return free
        if all(_is_free(host, port) for host in _HOSTS):
            free.append(port)
    raise StartFailed("no free ports")


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
