"""PostgreSQL that a scenario may restart."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.kit.child import StartFailed
from bench.kit.postgres import VARIABLE, Cluster, made_cluster, postgres_binaries
from bench.kit.world import World
from bench.rollout.process import Process

_START_SECONDS = 60.0
_POLL_SECONDS = 0.05


class PostgreSQL:
    """Records for several edges. Syncs as it does by default: what it acknowledged lasts."""

    def __init__(self, cluster: Cluster, world: World) -> None:
        self._cluster = cluster
        self.process = Process(
            "postgresql",
            # Whoever it runs as may not look into the folder that we run in.
            [
                *(shutil.which("env") or "env", "-C", str(cluster.folder)),
                *cluster.become,
                *cluster.command,
            ],
            world,
            {},
            # "Fast": it hangs up on its clients and ends, as `systemctl restart` has it.
            stop_signal=signal.SIGINT,
        )

    @property
    def url(self) -> str:
        return self._cluster.url

    def start(self) -> None:
        """Returns when it answers. Raises StartFailed."""
        self.process.start()
        end = time.monotonic() + _START_SECONDS
        while not self.answers():
            if not self.process.is_running or time.monotonic() > end:
                raise StartFailed(f"PostgreSQL did not start:\n{self.process.output[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def answers(self) -> bool:
        """Whether it takes connections."""
        return self._cluster.answers()


@contextmanager
def postgresql(world: World) -> Iterator[PostgreSQL]:
    """A server that is gone at the end, with all its files. Raises StartFailed."""
    binaries = postgres_binaries()
    if binaries is None:
        raise StartFailed(
            f"no PostgreSQL here: install Debian's package postgresql, or set {VARIABLE}"
        )
    with made_cluster(binaries) as cluster:
        server = PostgreSQL(cluster, world)
        try:
            server.start()
            yield server
        finally:
            server.process.end()
