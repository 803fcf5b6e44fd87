"""A Milvus that wants to know who is there: tokens, TLS, databases, isolated collections."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pymilvus import MilvusClient
from structlog.testing import capture_logs

from storage.errors import CollectionNeeded, StoreMisconfigured, VectorsUnavailable
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.settings import StorageSettings
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_errors import VectorsRefused
from storage.vectors.milvus_server import MilvusServer
from storage.vectors.milvus_server_open import open_server
from storage.vectors.port import Embedding, FaceVector
from tests.certificates import Authority, Issued
from tests.contract.milvus_process import GuardedMilvus
from tests.integration.processes import clean_environment

SPACE = SpaceId("space_1")
TOKEN = "root:Milvus"
DIM = 4
UNITS = np.eye(DIM, dtype=np.float32)


def settings(url: str, **others: object) -> StorageSettings:
    told = {"vectors_url": url, "records_url": "memory://", "photos_url": "memory://"}
    return StorageSettings(**(told | others))  # type: ignore[arg-type]  # pydantic checks


def face(number: int, photo: PhotoKey, embedding: Embedding) -> FaceVector:
    revision = RevisionId(f"{number:026d}")
    return FaceVector(FaceId(f"f_{revision}_0"), photo, revision, embedding)


async def works(store: MilvusVectorStore) -> None:
    """Whether a face that was added is found."""
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, [face(1, PhotoKey("c", "p"), UNITS[0])])
    hits = await store.search(SPACE, UNITS[0], within=None, limit=5, minimum_score=0.5)
    assert [hit.photo for hit in hits] == [PhotoKey("c", "p")]


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedMilvus]:
    """One that wants a token."""
    with GuardedMilvus(tmp_path_factory.mktemp("milvus") / "data", token=TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(files: Path) -> Path:
    """The certificate of whoever signed the server's and the client's, which are beside it."""
    ours = Authority("ours")
    ours.issue(files, "server")
    ours.issue(files, "client")
    return ours.write(files)


@pytest.fixture(scope="module")
def client(files: Path, authority: Path) -> Issued:
    return Issued(files / "client.pem", files / "client.key")


@pytest.fixture(scope="module")
def encrypted(
    tmp_path_factory: pytest.TempPathFactory, files: Path, authority: Path
) -> Iterator[GuardedMilvus]:
    """One that speaks TLS and wants to see a client's certificate: Milvus' tlsMode 2."""
    with GuardedMilvus(
        tmp_path_factory.mktemp("milvus") / "data",
        certificate=files / "server.pem",
        key=files / "server.key",
        client_ca=authority,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def one_way(
    tmp_path_factory: pytest.TempPathFactory, files: Path, authority: Path
) -> Iterator[GuardedMilvus]:
    """One that speaks TLS and asks nobody for a certificate: tlsMode 1."""
    with GuardedMilvus(
        tmp_path_factory.mktemp("milvus") / "data",
        certificate=files / "server.pem",
        key=files / "server.key",
    ) as server:
        yield server


@pytest.fixture
async def isolated(milvus: GuardedMilvus) -> AsyncIterator[MilvusVectorStore]:
    """A store whose space has an index for each collection."""
    store = await open_server(
        settings(
            milvus.url,
            vectors_token=TOKEN,
            vectors_index="HNSW",
            vectors_partition_key_isolation=True,
            timeout_seconds=30,
        )
    )
    await store.drop_space(SPACE)
    await store.open_space(SPACE, DIM)
    yield store
    await store.drop_space(SPACE)
    await store.close()


async def test_the_right_token_lets_in(milvus: GuardedMilvus) -> None:
    store = await open_server(settings(milvus.url, vectors_token=TOKEN, timeout_seconds=30))

    await works(store)

    await store.drop_space(SPACE)
    await store.close()


@pytest.mark.parametrize("token", ["root:wrong", "an api key", ""])
async def test_a_wrong_token_stops_the_start_with_one_line(
    milvus: GuardedMilvus, token: str
) -> None:
    with pytest.raises(StoreMisconfigured, match="correct STORAGE_VECTORS_TOKEN") as refused:
        await open_server(settings(milvus.url, vectors_token=token))

    said = str(refused.value)
    assert "\n" not in said
    assert "auth check failure" in said
    assert "wrong" not in said.replace("wrong number", "")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STORAGE_VECTORS_TOKEN", "root:wrong", "correct STORAGE_VECTORS_TOKEN"),
        ("STORAGE_VECTORS_FOO", "1", "unknown setting STORAGE_VECTORS_FOO"),
    ],
)
def test_an_edge_that_cannot_work_ends_with_one_line(
    milvus: GuardedMilvus, name: str, value: str, said: str
) -> None:
    told = {
        "API_KEY": "anything",
        "EDGE_PORT": "0",
        "STORAGE_VECTORS_URL": milvus.url,
        "STORAGE_RECORDS_URL": "memory://",
        "STORAGE_PHOTOS_URL": "memory://",
        name: value,
    }
    done = subprocess.run(
        [sys.executable, "-m", "edge"],
        env=clean_environment(told),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("edge: ")]
    assert said in line


async def test_a_token_that_is_refused_while_serving_is_an_outage_that_says_why(
    milvus: GuardedMilvus,
) -> None:
    store = MilvusVectorStore(MilvusServer(milvus.url, token="revoked:since", timeout_seconds=5))

    with pytest.raises(VectorsUnavailable, match="correct STORAGE_VECTORS_TOKEN") as refused:
        await store.ping()

    assert isinstance(refused.value, VectorsRefused)
    await store.close()


async def test_a_database_keeps_spaces_of_its_own(milvus: GuardedMilvus) -> None:
    admin = MilvusClient(milvus.url, token=TOKEN, dedicated=True)
    admin.create_database("tenant")
    there = settings(milvus.url, vectors_token=TOKEN, vectors_database="tenant", timeout_seconds=30)
    store = await open_server(there)
    await works(store)
    elsewhere = await open_server(settings(milvus.url, vectors_token=TOKEN, timeout_seconds=30))

    assert await store.spaces() == [SPACE]
    assert SPACE not in await elsewhere.spaces()

    await store.drop_space(SPACE)
    await store.close()
    await elsewhere.close()
    await asyncio.to_thread(admin.close)


async def test_a_database_that_is_not_there_stops_the_start(milvus: GuardedMilvus) -> None:
    nowhere = settings(milvus.url, vectors_token=TOKEN, vectors_database="nowhere")

    with pytest.raises(StoreMisconfigured, match="STORAGE_VECTORS_DATABASE"):
        await open_server(nowhere)


async def test_a_server_that_does_not_answer_stops_no_start(tmp_path: Path) -> None:
    away = GuardedMilvus(tmp_path / "data", token=TOKEN)

    with capture_logs() as lines:
        store = await open_server(settings(away.url, vectors_token=TOKEN, timeout_seconds=5))

    assert [line["event"] for line in lines] == ["vectors_unavailable"]
    with away:
        await works(store)
    await store.close()


async def test_tls_is_spoken_with_an_authority_of_ones_own(
    one_way: GuardedMilvus, authority: Path
) -> None:
    store = await open_server(settings(one_way.url, vectors_tls_ca=authority, timeout_seconds=30))

    await works(store)
    await store.close()


async def test_a_certificate_of_ones_own_is_shown(
    encrypted: GuardedMilvus, authority: Path, client: Issued
) -> None:
    store = await open_server(
        settings(
            encrypted.url,
            vectors_tls_ca=authority,
            vectors_tls_cert=client.certificate,
            vectors_tls_key=client.key,
            timeout_seconds=30,
        )
    )

    await works(store)
    await store.close()


async def test_without_a_certificate_such_a_server_does_not_answer(
    encrypted: GuardedMilvus, authority: Path
) -> None:
    with capture_logs() as lines:
        store = await open_server(settings(encrypted.url, vectors_tls_ca=authority))

    assert [line["event"] for line in lines] == ["vectors_unavailable"]
    await store.close()


async def test_a_server_that_another_authority_vouches_for_stops_the_start(
    one_way: GuardedMilvus, tmp_path: Path
) -> None:
    stranger = Authority("a stranger").write(tmp_path)

    with pytest.raises(StoreMisconfigured, match="set STORAGE_VECTORS_TLS_CA") as refused:
        await open_server(settings(one_way.url, vectors_tls_ca=stranger, timeout_seconds=5))

    assert "\n" not in str(refused.value)


async def test_files_that_cannot_be_used_stop_the_start(
    files: Path, authority: Path, client: Issued, tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    expired = Authority("once", start=timedelta(days=-9)).write(tmp_path, "expired.pem")
    locked = Authority("ours").issue(tmp_path, "locked", passphrase="of somebody")
    other = files / "server.key"
    for told, said in (
        ({"vectors_tls_ca": tmp_path / "missing.pem"}, "TLS_CA=.*cannot be read"),
        ({"vectors_tls_ca": garbage}, "TLS_CA=.*holds no certificate"),
        ({"vectors_tls_ca": expired}, "TLS_CA=.*has expired"),
        ({"vectors_tls_cert": garbage, "vectors_tls_key": client.key}, "TLS_CERT=.*makes no"),
        ({"vectors_tls_cert": client.certificate, "vectors_tls_key": other}, "TLS_CERT=.*makes no"),
        (
            {"vectors_tls_cert": client.certificate, "vectors_tls_key": tmp_path / "missing.key"},
            "TLS_KEY=.*cannot be read",
        ),
        (
            {"vectors_tls_cert": locked.certificate, "vectors_tls_key": locked.key},
            "TLS_KEY=.*has a passphrase",
        ),
    ):
        with pytest.raises(StoreMisconfigured, match=f"STORAGE_VECTORS_{said}") as refused:
            await open_server(
                settings("https://127.0.0.1:1", **({"vectors_tls_ca": authority} | told))
            )
        assert "\n" not in str(refused.value)


async def test_a_space_is_loaded_as_often_as_the_settings_say(milvus: GuardedMilvus) -> None:
    twice = settings(milvus.url, vectors_token=TOKEN, vectors_replicas=2, timeout_seconds=30)
    store = await open_server(twice)

    with pytest.raises(VectorsUnavailable, match="resource group node not enough"):
        await store.open_space(SPACE, DIM)

    await store.drop_space(SPACE)
    await store.close()


async def test_an_isolated_space_is_searched_collection_by_collection(
    isolated: MilvusVectorStore,
) -> None:
    names = ["a", "b", "", "d"]
    await isolated.add(
        SPACE, [face(n, PhotoKey(name, "p"), UNITS[n]) for n, name in enumerate(names)]
    )
    await isolated.add(SPACE, [face(9, PhotoKey("a", 'q"'), UNITS[0])])
    probe = np.array([0.8, 0.6, 0, 0], np.float32)

    async def found(
        *within: str, excluding: tuple[PhotoKey, ...] = (), limit: int = 5
    ) -> list[PhotoKey]:
        hits = await isolated.search(
            SPACE,
            probe,
            within=frozenset(within),
            limit=limit,
            minimum_score=-1,
            excluding=excluding,
        )
        return [hit.photo for hit in hits]

    assert await found("a") == [PhotoKey("a", "p"), PhotoKey("a", 'q"')]
    assert await found("a", "b", "", "nobody") == [
        PhotoKey("a", "p"),
        PhotoKey("a", 'q"'),
        PhotoKey("b", "p"),
        PhotoKey("", "p"),
    ]
    assert await found("a", "b", limit=1) == [PhotoKey("a", "p")]
    passed_over = (PhotoKey("a", "p"), PhotoKey("b", 'q"'), PhotoKey("a", "\ud800"))
    assert await found("a", "b", excluding=passed_over) == [
        PhotoKey("a", 'q"'),
        PhotoKey("b", "p"),
    ]
    assert await isolated.count(SPACE) == 5


async def test_a_search_of_the_whole_base_is_refused_where_collections_are_isolated(
    isolated: MilvusVectorStore, milvus: GuardedMilvus
) -> None:
    # A store that does not know of it learns it from the space.
    other = await open_server(settings(milvus.url, vectors_token=TOKEN, timeout_seconds=30))
    for store in (isolated, other):
        with pytest.raises(CollectionNeeded, match="name its collections"):
            await store.search(SPACE, UNITS[0], within=None, limit=5, minimum_score=0)
        here = frozenset({"a"})
        assert await store.search(SPACE, UNITS[0], within=here, limit=5, minimum_score=0) == []
    await other.close()
