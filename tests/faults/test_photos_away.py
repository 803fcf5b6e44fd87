"""Photos in a bucket beneath a running edge: wrong keys, outages, uploads that are cut halfway."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.s3_process import Key, S3Process
from tests.contract.wire import Wire
from tests.faults.outages import broken, found, is_away, put, small, until
from tests.integration.processes import Running, run, start_inference
from tests.integration.system import client_of, edge_environment, start_edge

pytestmark = [pytest.mark.slow, pytest.mark.pack]


@pytest.fixture(scope="module")
def inference(pack_dir: Path) -> Iterator[Running]:
    with start_inference(pack_dir) as process:
        yield process


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Process]:
    with S3Process() as server:
        yield server


@pytest.fixture(scope="module")
def key(s3: S3Process) -> Key:
    return s3.key()


@pytest.fixture(scope="module")
def woman(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_yifei.jpg")


@pytest.fixture(scope="module")
def man(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_Rob_Lowe_0001.jpg")


def test_a_bucket_may_be_away_and_an_upload_cut_and_it_is_back_by_itself(
    tmp_path: Path, inference: Running, s3: S3Process, key: Key, woman: bytes, man: bytes
) -> None:
    bucket = s3.empty_bucket()
    settings = s3.environment(bucket, key, STORAGE_TIMEOUT_SECONDS="2", EDGE_SWEEP_SECONDS="1")
    with (
        Wire(s3.port) as wire,
        start_edge(
            tmp_path / "data",
            inference.address,
            **settings | {"STORAGE_PHOTOS_ENDPOINT": wire.url},
        ) as edge,
        client_of(edge) as client,
    ):
        client.put_photo("her", woman)
        client.put_photo("him", man)
        assert found(client, woman) == ["her"]
        assert client.http.get("/photos/her/image").content == woman
        assert len(s3.objects(bucket)) == 2
        assert not (tmp_path / "data" / "photos").exists()

        wire.cut(1_000, after_bytes=len(man) // 2)
        answer = put(client, "new", man)
        assert is_away(answer, "photos_unavailable")
        assert wire.url not in answer.text
        assert bucket not in answer.text
        assert len(s3.objects(bucket)) == 2  # nothing half-stored

        wire.silent()
        assert is_away(put(client, "new", man), "photos_unavailable")
        assert is_away(client.http.get("/photos/her/image"), "photos_unavailable")
        until(lambda: broken(client) == ["photos"], "/readyz says which")
        # What needs no bytes goes on, and a removal is acknowledged.
        assert found(client, woman) == ["her"]
        assert found(client, man) == ["him"]
        assert client.http.delete("/remove/him").json()["faces_removed"] == 1
        assert found(client, man) == []

        wire.sound()
        until(lambda: broken(client) == [], "/readyz says ready")
        assert client.http.get("/photos/her/image").content == woman
        until(lambda: len(s3.objects(bucket)) == 1, "what nobody shows any more is collected")
        until(lambda: put(client, "new", man).status_code == 200, "photos are taken again")
        assert found(client, man) == ["new"]
        assert {item["photo_id"] for item in client.listing()} == {"her", "new"}
        assert len(s3.objects(bucket)) == 2

        wire.silent()
        assert is_away(client.http.get("/photos/her/image"), "photos_unavailable")
        assert edge.terminate() == 0  # also with a call that hangs


def test_a_wrong_key_stops_the_edge_with_one_line(
    tmp_path: Path, inference: Running, s3: S3Process, key: Key
) -> None:
    settings = s3.environment(
        s3.empty_bucket(),
        key,
        STORAGE_PHOTOS_SECRET_KEY="not-this-one",
        STORAGE_TIMEOUT_SECONDS="50",  # an answer that is late would be left for later
    )
    environment = edge_environment(tmp_path / "data", inference.address, **settings)
    with run([sys.executable, "-m", "edge"], environment) as edge:
        assert edge.wait() == 2
        said = [line for line in edge.lines("stderr") if line.startswith("edge: ")]
    assert len(said) == 1
    assert "the secret key is not that of the access key" in said[0]
    assert "STORAGE_PHOTOS_SECRET_KEY" in said[0]
    assert "not-this-one" not in edge.text()
