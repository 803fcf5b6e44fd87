"""PostgreSQL for as long as an acceptance takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.kit.child import started
from bench.kit.postgres import made_cluster
from bench.kit.world import World


@contextmanager
def started_postgres(binaries: Path, world: World) -> Iterator[str]:
    """The URL of an empty database; gone at the end with all its files. Raises StartFailed."""
    with made_cluster(binaries) as cluster:
        # PostgreSQL gives up the wish to die with its parent when the user changes.
        become = [*cluster.become, "--pdeathsig", "KILL"] if cluster.become else []
        with started("postgresql", [*become, *cluster.command], world, {}) as server:
            server.until(cluster.answers, "took connections")
            yield cluster.url
