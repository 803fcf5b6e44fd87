"""The end of a pod that is deleted, step by step as Kubernetes takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.rollout.pods import Pod, Role

KILLED = -9


class Front(Protocol):
    """What a balancer is told of an edge that goes."""

    def drain(self, name: str) -> None:
        """It gets nothing new."""
        ...

    def forget(self, name: str) -> None:
        """It is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Retired:
    """How a deleted pod ended."""

    name: str
    seconds: float
    """From its deletion to its end."""
    exit_code: int
    """KILLED: its grace period was over."""
    grace: float

    @property
    def is_clean(self) -> bool:
        """Whether it ended by itself and in time."""
        return self.exit_code == 0


class Retiring:
    """A pod on its way out. Each step is taken when it is due, and once."""

    def __init__(self, pod: Pod, deleted: float) -> None:
        """deleted: time.monotonic()."""
        self.pod = pod
        self._deleted = deleted
        self._is_drained = pod.role is not Role.EDGE
        self._is_asked = False

    def step(self, now: float, balancer: Front, note: Callable[[str], None]) -> Retired | None:
        """Do what is due; how it ended, once it has."""
        pod, times = self.pod, self.pod.times
        age = now - self._deleted
        if not self._is_drained and age >= times.endpoints:
            self._is_drained = True
            balancer.drain(pod.name)
        if not self._is_asked and age >= times.pre_stop:
            self._is_asked = True
            note(f"{pod.name} gets SIGTERM")
            pod.process.ask_to_end()
        if pod.process.is_running:
            if age >= times.grace:
                note(f"{pod.name}: its grace period is over")
                pod.process.kill()
                return self._retired(age, KILLED, balancer)
            return None
        note(f"{pod.name} has ended")
        return self._retired(age, pod.process.ended(), balancer)

    def _retired(self, age: float, exit_code: int, balancer: Front) -> Retired:
        if self.pod.role is Role.EDGE:
            balancer.forget(self.pod.name)
        return Retired(self.pod.name, age, exit_code, self.pod.times.grace)
