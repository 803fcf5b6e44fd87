"""Whose CPU time a load takes: that of the load generator is taken from what it measures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from bench.kit.loops import Load
from bench.kit.processes import Service

CLIENT = "client"
CPU_COLUMNS = ["client, % of all cores", "client, CPU ms a request", "server, CPU ms a request"]
"""Of `CpuMeter.row`."""


class CpuMeter:
    """Sums CPU time over several loads on the same services.

    The load generator is this process, on the same cores as the services.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._used: dict[str, float] = {}
        self._requests = 0
        self._seconds = 0.0

    def during(self, work: Callable[[], Load]) -> Load:
        """Do it, and count what was used meanwhile."""
        before = self._snapshot()
        load = work()
        for name, seconds in self._snapshot().items():
            self._used[name] = self._used.get(name, 0.0) + seconds - before[name]
        self._requests += len(load.latencies)
        self._seconds += load.seconds
        return load

    @property
    def client_share(self) -> float:
        """Of the time of all cores, what the load generator took: 0 to 1."""
        cores = len(os.sched_getaffinity(0))
        return self._used.get(CLIENT, 0.0) / (self._seconds * cores) if self._seconds else 0.0

    @property
    def milliseconds_of_services(self) -> float:
        """CPU time of all services for one request."""
        return sum(self._milliseconds(service.name) for service in self._services)

    @property
    def milliseconds_of_all(self) -> float:
        """CPU time of the services and the load generator for one request."""
        return self.milliseconds_of_services + self._milliseconds(CLIENT)

    def row(self) -> list[float]:
        """Cells of a table: the client's share in percent, then milliseconds a request."""
        share, own = self.client_share * 100, self._milliseconds(CLIENT)
        return [round(share, 1), round(own, 2), round(self.milliseconds_of_services, 2)]

    def _milliseconds(self, process: str) -> float:
        return self._used.get(process, 0.0) / self._requests * 1000 if self._requests else 0.0

    def _snapshot(self) -> dict[str, float]:
        return {CLIENT: time.process_time()} | {
            service.name: service.cpu_seconds() for service in self._services
        }
