"""Milvus or PostgreSQL away, slow and back, beneath a running edge."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.contract.milvus_process import MilvusProcess
from tests.contract.postgres_server import PostgresServer, find_binaries, running
from tests.faults.outages import broken, found, is_away, problem, put, small, until
from tests.integration.processes import Running, run, start_inference
from tests.integration.system import Client, client_of, edge_environment, start_edge

pytestmark = [pytest.mark.slow, pytest.mark.pack]


@pytest.fixture(scope="module")
def inference(pack_dir: Path) -> Iterator[Running]:
    with start_inference(pack_dir) as process:
        yield process


@pytest.fixture(scope="module")
def woman(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_yifei.jpg")


@pytest.fixture(scope="module")
def man(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_Rob_Lowe_0001.jpg")


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusProcess]:
    with MilvusProcess(tmp_path / "milvus") as server:
        yield server


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    binaries = find_binaries()
    if binaries is None:
        missing("no PostgreSQL here: install Debian's package postgresql")
        raise AssertionError
    with running(binaries) as server:
        yield server


def test_milvus_may_be_killed_and_is_back_by_itself(
    tmp_path: Path, inference: Running, milvus: MilvusProcess, woman: bytes, man: bytes
) -> None:
    with (
        start_edge(
            tmp_path / "data",
            inference.address,
            STORAGE_VECTORS_URL=milvus.url,
            STORAGE_VECTORS_CONSISTENCY="strong",
            STORAGE_TIMEOUT_SECONDS="2",
        ) as edge,
        client_of(edge) as client,
    ):
        client.put_photo("her", woman)
        client.put_photo("him", man)
        assert found(client, woman) == ["her"]

        milvus.kill()
        for answer in (client.try_search(woman), put(client, "new", man)):
            assert is_away(answer, "vectors_unavailable")
            assert "127.0.0.1" not in answer.text
        until(lambda: broken(client) == ["vectors"], "/readyz says which")
        # What needs no vectors goes on, and a removal is acknowledged.
        assert client.http.get("/photos/her/image").content == woman
        assert client.http.delete("/remove/him").json()["faces_removed"] == 1

        milvus.start()
        until(lambda: client.try_search(woman).status_code == 200, "searches are answered again")
        until(lambda: broken(client) == [], "/readyz says ready")
        assert found(client, woman) == ["her"]
        assert found(client, man) == []  # its vectors may be there still: never a ghost
        assert put(client, "new", man).status_code == 200
        assert found(client, man) == ["new"]


def test_a_delete_of_vectors_that_times_out_and_lands_late_takes_nothing_new(
    tmp_path: Path, inference: Running, milvus: MilvusProcess, woman: bytes, man: bytes
) -> None:
    with (
        start_edge(
            tmp_path / "data",
            inference.address,
            STORAGE_VECTORS_URL=milvus.url,
            STORAGE_VECTORS_CONSISTENCY="strong",
            STORAGE_TIMEOUT_SECONDS="1",
            EDGE_SWEEP_SECONDS="1",
        ) as edge,
        client_of(edge) as client,
    ):
        client.put_photo("her", woman)
        client.put_photo("him", man)
        assert found(client, woman) == ["her"]
        milvus.send(signal.SIGSTOP)
        try:
            assert client.http.delete("/remove/her").status_code == 200
            edge.wait_for_event("sweep_stopped")  # the delete was sent, and not answered in time
            assert is_away(client.try_search(woman), "vectors_unavailable")
            slow = client.http.post(
                "/search/", files={"image": man}, headers={"X-Request-Timeout": "0.5"}
            )
            assert problem(slow) == (504, "deadline_exceeded")
        finally:
            milvus.send(signal.SIGCONT)
        until(lambda: client.try_search(woman).status_code == 200, "searches are answered again")
        assert found(client, woman) == []
        assert client.put_photo("her", woman)["created"] is True

        # The next removal is swept after every late one.
        client.put_photo("other", man)
        assert client.http.delete("/remove/other").status_code == 200
        photos = tmp_path / "data" / "photos"
        until(lambda: len(revisions(photos)) == 2, "everything left over is collected")
        assert found(client, woman) == ["her"]
        assert found(client, man) == ["him"]
        assert {item["photo_id"] for item in client.listing()} == {"her", "him"}


def revisions(photos: Path) -> list[Path]:
    """Files of photos, finished or half-written."""
    return [file for file in photos.rglob("*") if file.is_file() and "ping" not in file.name]


def test_postgres_may_be_killed_and_is_back_by_itself(
    tmp_path: Path, inference: Running, postgres: PostgresServer, woman: bytes, man: bytes
) -> None:
    settings = records_in(postgres)
    with (
        start_edge(tmp_path / "data", inference.address, **settings) as edge,
        client_of(edge) as client,
    ):
        client.put_photo("her", woman)
        assert found(client, woman) == ["her"]

        postgres.kill()
        http = client.http
        for answer in (
            client.try_search(woman),
            put(client, "new", man),
            http.get("/embed_status/"),
            http.delete("/remove/her"),
        ):
            assert is_away(answer, "records_unavailable")
            assert "sql" not in answer.text.lower()
            assert str(postgres.folder) not in answer.text
        until(lambda: broken(client) == ["records"], "/readyz says which")
        postgres.start()
        until(lambda: client.try_search(woman).status_code == 200, "searches are answered again")
        until(lambda: broken(client) == [], "/readyz says ready")
        assert found(client, woman) == ["her"]
        assert found(client, man) == []
        assert put(client, "new", man).status_code == 200
        assert found(client, man) == ["new"]

        with postgres.frozen():
            begun = time.monotonic()
            assert is_away(client.try_search(woman), "records_unavailable")
            slow = http.get("/embed_status/", headers={"X-Request-Timeout": "0.5"})
            assert problem(slow) == (504, "deadline_exceeded")
            assert time.monotonic() - begun < 8
        until(lambda: broken(client) == [], "/readyz says ready after a standstill")
        assert found(client, woman) == ["her"]


def records_in(postgres: PostgresServer) -> dict[str, str]:
    """Settings of an edge whose records are there."""
    return {"STORAGE_RECORDS_URL": postgres.url("postgres"), "STORAGE_TIMEOUT_SECONDS": "2"}


def test_an_edge_that_starts_before_its_database_waits_and_says_so(
    tmp_path: Path, inference: Running, postgres: PostgresServer, woman: bytes
) -> None:
    postgres.kill()
    environment = edge_environment(tmp_path / "data", inference.address, **records_in(postgres))
    with run([sys.executable, "-m", "edge"], environment) as edge:
        edge.wait_for_event("store_away")
        port = edge.wait_for_event("listening")["port"]
        with Client(f"http://127.0.0.1:{port}").http as http:
            assert http.get("/livez").status_code == 200
            ready = http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "starting")
            assert "store" in ready.json()["detail"]
            assert is_away(http.get("/embed_status/"), "records_unavailable")
            postgres.start()
            edge.wait_until_serving()
            assert http.put("/photos/her", files={"image": woman}).status_code == 200
