"""The walk of kills again where everything is a server: PostgreSQL, a bucket, Milvus, two edges."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.outages import until
from tests.faults.servers import Servers
from tests.faults.test_every_step import check
from tests.faults.test_random_kills import Enrolling, index_again, photos  # noqa: F401  # fixture
from tests.integration.processes import Running
from tests.integration.system import client_of

pytestmark = [pytest.mark.pack, pytest.mark.slow, pytest.mark.timeout(900)]

KILLS = 6
SEED = 20261121
# Whoever enrols, searches or keeps something; the bucket's server forgets all when it dies.
VICTIMS = ("edge", "inference", "edge", "records", "edge", "vectors")


def listed_by(edge: Running) -> set[str]:
    """The photos that an edge lists once it is ready again."""
    with client_of(edge) as client:
        until(lambda: client.http.get("/readyz").is_success, "the edge is ready again")
        return {str(item["photo_id"]) for item in client.listing()}


@contextmanager
def sending(enrolling: Enrolling, edges: Sequence[Running]) -> Iterator[None]:
    """A sender for each edge, while the block runs."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=enrolling.send, args=(edge.url, stop), daemon=True)
        for edge in edges
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_nothing_acknowledged_is_missing_after_kills_of_every_server(
    tmp_path: Path,
    pack_dir: Path,
    photos: dict[str, bytes],  # noqa: F811  # the fixture above
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dice = random.Random(SEED)
    enrolling = Enrolling(photos)
    data = tmp_path / "data"
    with ExitStack() as lives:
        servers = Servers(tmp_path, pack_dir, lives)
        servers.name_stores(monkeypatch)
        for kill in range(KILLS):
            enrolling.sent.clear()
            with sending(enrolling, servers.edges):
                assert enrolling.sent.wait(60), f"nothing was acknowledged before kill {kill}"
                # A random moment of the next photos, whatever is under way just then.
                threading.Event().wait(dice.uniform(0.0, 0.5))
                victim, number = VICTIMS[kill % len(VICTIMS)], dice.randrange(2)
                servers.kill(victim, number)
            servers.replace(victim, number)
            listings = [listed_by(edge) for edge in servers.edges]
            for listed in listings:
                lost = enrolling.acknowledged - listed
                assert not lost, f"after kill {kill}: {len(lost)} acknowledged photos are missing"
            # More may be there: committed, their acknowledgements lost on the way.
            enrolling.acknowledged |= listings[0]
        folder = tmp_path / "photos"
        folder.mkdir()
        for name, image in photos.items():
            (folder / name).write_bytes(image)
        report = index_again(folder, servers.edges[0].url)
        assert report["failed"] == []
        with client_of(servers.edges[1]) as client:
            assert sorted(item["photo_id"] for item in client.listing()) == sorted(photos)
        found = check(data)
        assert found.problems == 0, found.figures
        for edge in servers.edges:
            assert edge.terminate() == 0
