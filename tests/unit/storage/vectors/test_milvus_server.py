"""A Milvus server that goes away, comes back, hangs or is somebody else's."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from storage.errors import StorageError, StoreMisconfigured, VectorsUnavailable
from storage.identity import SpaceId
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_errors import VectorsRefused, translate
from storage.vectors.milvus_schema import MilvusIndex
from storage.vectors.milvus_server import MilvusServer
from tests.contract.milvus_process import MilvusProcess
from tests.unit.storage.vectors.faces import SPACE, face, found_photos, random_units

DIM = 16
VECTORS = random_units(50, DIM)
FACES = [face(n, vector) for n, vector in enumerate(VECTORS)]


@pytest.fixture
def milvus(tmp_path: Path) -> Iterator[MilvusProcess]:
    process = MilvusProcess(tmp_path / "data")
    yield process
    process.kill()


@pytest.fixture
async def store(milvus: MilvusProcess) -> AsyncIterator[MilvusVectorStore]:
    opened = MilvusVectorStore(MilvusServer(milvus.url, token="", timeout_seconds=2))
    yield opened
    await opened.close()


async def again(store: MilvusVectorStore, seconds: float = 20.0) -> None:
    """Ping until the store answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await store.ping()
        except VectorsUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "url",
    ["", "vectors.db", "ftp://host:1", "http://", "http:///x", "http://host:99999", "http://["],
)
def test_a_url_that_cannot_be_one_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(StoreMisconfigured, match="STORAGE_VECTORS_URL"):
        MilvusServer(url, token="", timeout_seconds=1)


async def test_a_server_that_is_not_there_yet_is_used_once_it_is(
    milvus: MilvusProcess, store: MilvusVectorStore
) -> None:
    with pytest.raises(VectorsUnavailable):
        await store.open_space(SPACE, DIM)

    milvus.start()

    await store.open_space(SPACE, DIM)
    await store.add(SPACE, FACES)
    assert len(await found_photos(store, VECTORS[0])) == 50


async def test_a_server_that_was_killed_is_away_and_comes_back_by_itself(
    milvus: MilvusProcess, store: MilvusVectorStore
) -> None:
    milvus.start()
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, FACES)

    milvus.kill()
    with pytest.raises(VectorsUnavailable) as away:
        await found_photos(store, VECTORS[0])
    with pytest.raises(VectorsUnavailable):
        await store.add(SPACE, FACES[:1])
    with pytest.raises(VectorsUnavailable):
        await store.remove_revisions([FACES[0].revision])
    assert "\n" not in str(away.value)

    milvus.start()
    await again(store)
    # Lite's server forgets what was loaded; the store loads it again.
    assert len(await found_photos(store, VECTORS[0])) == 50
    await store.remove_revisions([FACES[0].revision])
    assert await store.count(SPACE) == 49


async def test_a_server_that_hangs_costs_the_timeout_and_no_more(
    milvus: MilvusProcess, store: MilvusVectorStore
) -> None:
    milvus.start()
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, FACES)

    milvus.send(signal.SIGSTOP)
    began = time.monotonic()
    outcomes = await asyncio.gather(
        *(found_photos(store, VECTORS[0]) for _ in range(40)), return_exceptions=True
    )
    took = time.monotonic() - began
    milvus.send(signal.SIGCONT)

    assert {type(outcome) for outcome in outcomes} == {VectorsUnavailable}, outcomes
    assert 1.9 <= took < 4
    await again(store)
    assert len(await found_photos(store, VECTORS[0])) == 50


async def test_collections_of_somebody_else_are_left_alone(
    milvus: MilvusProcess, store: MilvusVectorStore
) -> None:
    milvus.start()
    client = MilvusClient(milvus.url, dedicated=True)
    client.create_collection("others", dimension=8)
    await store.open_space(SPACE, DIM)

    assert await store.spaces() == [SPACE]
    for refused in (
        store.open_space(SpaceId("others"), 8),
        store.drop_space(SpaceId("others")),
    ):
        with pytest.raises(StoreMisconfigured, match="not one of facesearch"):
            await refused
    await store.remove_revisions([FACES[0].revision])
    assert client.has_collection("others")
    client.close()


async def test_a_space_that_another_edge_dropped_is_empty_and_takes_nothing(
    milvus: MilvusProcess, store: MilvusVectorStore
) -> None:
    milvus.start()
    await store.open_space(SPACE, DIM)
    other = MilvusVectorStore(MilvusServer(milvus.url, token="", timeout_seconds=5))
    await other.drop_space(SPACE)
    await other.close()

    assert await found_photos(store, VECTORS[0]) == set()
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, FACES)
    assert len(await found_photos(store, VECTORS[0])) == 50


async def test_two_edges_that_make_the_same_space_at_once_share_it(
    milvus: MilvusProcess, store: MilvusVectorStore
) -> None:
    milvus.start()
    other = MilvusVectorStore(MilvusServer(milvus.url, token="", timeout_seconds=5))

    opened = await asyncio.gather(
        store.open_space(SPACE, DIM), other.open_space(SPACE, DIM), return_exceptions=True
    )
    assert all(each is None or isinstance(each, StorageError) for each in opened)
    await store.open_space(SPACE, DIM)
    await other.open_space(SPACE, DIM)
    await store.add(SPACE, FACES)

    assert len(await found_photos(other, VECTORS[0])) == 50
    await other.close()


async def test_an_approximate_index_is_built_and_searched_with_its_parameters(
    milvus: MilvusProcess,
) -> None:
    milvus.start()
    index = MilvusIndex("HNSW", {"M": 16, "efConstruction": 100}, {"ef": 64})
    server = MilvusServer(milvus.url, token="", timeout_seconds=10)
    store = MilvusVectorStore(server, index=index, consistency="strong")
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, FACES)

    described = await server.read(
        lambda client, timeout: client.describe_index(SPACE, "vector", timeout=timeout)
    )
    hits = await store.search(SPACE, VECTORS[0], within=None, limit=5, minimum_score=-1)
    await store.close()

    assert described["index_type"] == "HNSW"
    assert described["metric_type"] == "IP"
    assert hits[0].face_id == FACES[0].face_id


def test_a_search_never_asks_for_more_rows_than_the_index_looks_at() -> None:
    index = MilvusIndex("HNSW", {}, {"ef": 64})

    assert index.search_params(10) == {"metric_type": "IP", "params": {"ef": 64}}
    assert index.search_params(500) == {"metric_type": "IP", "params": {"ef": 500}}
    assert MilvusIndex().search_params(500) == {"metric_type": "IP", "params": {}}


@pytest.mark.parametrize(
    ("kind", "told", "name"),
    [("DISKANN", 100, "search_list"), ("SCANN", 100, "reorder_k"), ("HNSW_SQ", 100, "ef")],
)
def test_whatever_the_index_calls_it_there_are_as_many_candidates_as_rows(
    kind: str, told: int, name: str
) -> None:
    index = MilvusIndex(kind, {}, {name: told})

    assert index.search_params(10)["params"] == {name: told}
    assert index.search_params(500)["params"] == {name: 500}


@pytest.mark.parametrize("kind", ["DISKANN", "SCANN", "IVF_FLAT", "FLAT"])
def test_an_index_with_candidates_of_its_own_accord_is_told_none(kind: str) -> None:
    assert MilvusIndex(kind).search_params(500)["params"] == {}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MilvusException(code=65535, message="auth check failure, please check api key"), "TOKEN"),
        (MilvusException(message="PrivilegeLoad: permission deny to nobody"), "grant it more"),
        (MilvusException(code=800, message="database not found[database=x]"), "VECTORS_DATABASE"),
        (
            MilvusException(
                code=1100, message="can't change the replica number for loaded collection"
            ),
            "STORAGE_VECTORS_REPLICAS",
        ),
    ],
)
def test_what_a_server_refuses_is_said_with_what_to_do(error: MilvusException, said: str) -> None:
    refused = translate(error, True)

    assert isinstance(refused, VectorsRefused)
    assert said in str(refused)
    assert error.message in str(refused)


def test_a_refusal_is_found_beneath_what_pymilvus_makes_of_it() -> None:
    outer = MilvusException(message="Fail connecting to server, illegal connection params")
    outer.__cause__ = MilvusException(message="rpc error: Unauthenticated\nmissing authorization")

    refused = translate(outer, False)

    assert isinstance(refused, VectorsRefused)
    assert "\n" not in str(refused)
