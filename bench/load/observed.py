"""What a generator saw of its requests, every one of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.kit.latency import Latencies

NO_ANSWER = 0
"""In place of a status: the connection was lost."""
OK = 200
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observed:
    """One run. All arrays are (n,), in the order in which the requests were due."""

    due: FloatArray
    """Seconds after the start."""
    sent: FloatArray
    """Seconds after the start at which the request was handed to the kernel, or to gRPC."""
    done: FloatArray
    """Seconds after the start at which the answer was complete."""
    status: NDArray[np.int64]
    """Of HTTP; gRPC's codes as the status that stands for them. NO_ANSWER: none came."""
    is_right: NDArray[np.bool_]
    """Whether the answer was the expected one. False for refusals."""
    generator_cpu_seconds: float
    """User and system time of the generator while it sent and read."""
    connections: int
    """Opened in all."""
    started: float = 0.0
    """time.perf_counter() at which the first request was due: one clock for all processes."""

    @property
    def count(self) -> int:
        return len(self.due)

    @property
    def seconds(self) -> float:
        """From the start until the last answer."""
        return float(self.done.max())

    def latencies(self) -> Latencies:
        """Of all requests, from the moment each was due: what a caller waits."""
        return Latencies.of((self.done - self.due).tolist())

    def latencies_of_ok(self) -> Latencies:
        """Of those that were answered 200. Raises ValueError if none was."""
        is_ok = self.status == OK
        return Latencies.of((self.done - self.due)[is_ok].tolist())

    def lateness(self) -> Latencies:
        """How late the generator itself was; part of every latency."""
        return Latencies.of((self.sent - self.due).tolist())

    def statuses(self) -> dict[int, int]:
        """How many answers of each status."""
        return dict(sorted(Counter(self.status.tolist()).items()))

    def share(self, status: int) -> float:
        """Fraction of all requests with this status."""
        return float((self.status == status).mean())

    def right_share(self) -> float:
        """Fraction of the 200s that were the expected answer; 0 if there were none."""
        is_ok = self.status == OK
        return float(self.is_right[is_ok].mean()) if is_ok.any() else 0.0

    def save(self, file: Path) -> None:
        """Write it down; `load` reads it."""
        facts = {
            "cpu": self.generator_cpu_seconds,
            "connections": self.connections,
            "started": self.started,
        }
        np.savez(
            file,
            due=self.due,
            sent=self.sent,
            done=self.done,
            status=self.status,
            is_right=self.is_right,
            facts=np.array(json.dumps(facts)),
        )

    @classmethod
    def load(cls, file: Path) -> Observed:
        """What `save` wrote."""
        with np.load(file) as kept:
            facts = json.loads(str(kept["facts"]))
            return cls(
                due=kept["due"],
                sent=kept["sent"],
                done=kept["done"],
                status=kept["status"],
                is_right=kept["is_right"],
                generator_cpu_seconds=float(facts["cpu"]),
                connections=int(facts["connections"]),
                started=float(facts["started"]),
            )
