"""A Lite folder: who may open it, and what is left of it after a kill or a full disk."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from pymilvus import MilvusClient

from storage.errors import StorageFull, StoreLocked, StoreMisconfigured, VectorsUnavailable
from storage.vectors import milvus_schema
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_lite import MilvusLite
from storage.vectors.milvus_schema import MilvusIndex
from storage.vectors.resident import ResidentVectorStore
from tests.unit.storage.vectors import lite_writer
from tests.unit.storage.vectors.faces import SPACE, face, found_photos, key, random_units

DIM = lite_writer.DIM
VECTORS = random_units(200, DIM)
# Where it cannot write out its memory table, Lite leaves the log open; the collector closes it.
lite_forgets_a_file = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <_io.FileIO name=.*:pytest.PytestUnraisableExceptionWarning"
)
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "new" / "vectors.db"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[MilvusVectorStore]:
    store = MilvusVectorStore(await MilvusLite.open(folder))
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes: a write beyond fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def copied_as_a_kill_would_leave_it(folder: Path) -> Path:
    """The files as they are now, nothing closed."""
    copy = folder.with_name("killed.db")
    shutil.copytree(folder, copy)
    return copy


def writer(folder: Path, first: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.storage.vectors.lite_writer", str(folder), str(first)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_what_was_added_is_there_when_the_folder_is_opened_again(folder: Path) -> None:
    async with opened(folder) as store:
        await store.open_space(SPACE, DIM)
        await store.add(SPACE, [face(n, VECTORS[n]) for n in range(200)])
        await store.remove_revisions([key(0).revision])

    async with opened(folder) as store:
        await store.open_space(SPACE, DIM)
        assert await found_photos(store, VECTORS[0]) == {f"photo {n}" for n in range(1, 200)}


async def test_the_folder_is_for_its_owner_only(folder: Path) -> None:
    async with opened(folder):
        assert mode(folder) == 0o700


async def test_a_second_opening_is_refused_in_one_clear_line(folder: Path) -> None:
    async with opened(folder):
        with pytest.raises(StoreLocked, match="open in another process") as refused:
            await MilvusLite.open(folder)

    assert "\n" not in str(refused.value)
    async with opened(folder):
        pass  # the lock is given back


async def test_a_folder_that_another_process_has_is_refused_and_left_as_it_is(
    folder: Path,
) -> None:
    with writer(folder) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        index = folder / "left.idx"
        index.write_bytes(b"the other's")

        with pytest.raises(StoreLocked):
            await MilvusLite.open(folder)

        assert index.exists()
        assert other.stdout.readline()
        other.kill()


async def test_a_place_where_no_folder_can_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "old.db").write_text("of Milvus Lite 2")

    with pytest.raises(StoreMisconfigured, match="cannot be written to: Not a directory"):
        await MilvusLite.open(tmp_path / "file" / "vectors.db")
    with pytest.raises(StoreMisconfigured, match="is a file"):
        await MilvusLite.open(tmp_path / "old.db")


@pytest.mark.slow
async def test_no_acknowledged_face_is_lost_by_a_kill_and_the_folder_always_opens(
    folder: Path,
) -> None:
    chance = random.Random(20)
    acknowledged: set[str] = set()
    first = 0
    for _ in range(5):
        with writer(folder, first) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, 40)):
                start = int(process.stdout.readline())
                acknowledged |= {f"photo {start + n}" for n in range(lite_writer.BATCH)}
            process.kill()
            # What was printed before the kill arrived was acknowledged too.
            for line in process.stdout.read().split():
                acknowledged |= {f"photo {int(line) + n}" for n in range(lite_writer.BATCH)}
        first += 10_000

        async with opened(folder) as store:
            await store.open_space(SPACE, DIM)
            found = await found_photos(store, VECTORS[0])
            assert acknowledged <= found
            assert len(found) == await store.count(SPACE)


async def test_broken_index_files_of_another_server_are_in_nobodys_way(folder: Path) -> None:
    # `milvus-lite server` on the same folder makes an index, and a kill breaks its files.
    lite = await MilvusLite.open(folder)
    store = MilvusVectorStore(lite)
    await store.open_space(SPACE, DIM)

    def index(client: MilvusClient, timeout: float) -> None:
        milvus_schema.index(client, SPACE, MilvusIndex(), timeout)
        client.load_collection(SPACE)

    await lite.define(index)
    await store.add(SPACE, [face(n, VECTORS[n]) for n in range(200)])
    await lite.write(lambda client, timeout: client.flush(SPACE, timeout=timeout))
    await store.close()
    broken = files(folder, "**/*.idx")
    assert broken
    for file in broken:
        file.write_bytes(file.read_bytes()[:100])

    async with opened(folder) as store:
        await store.open_space(SPACE, DIM)
        assert len(await found_photos(store, VECTORS[0])) == 200


async def test_our_own_folders_have_no_index_files(folder: Path) -> None:
    lite = await MilvusLite.open(folder)
    store = MilvusVectorStore(lite)
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, [face(n, VECTORS[n]) for n in range(200)])
    await lite.write(lambda client, timeout: client.flush(SPACE, timeout=timeout))
    await store.close()

    assert not files(folder, "**/*.idx")
    assert files(folder, "**/*.parquet")


@lite_forgets_a_file
async def test_a_full_disk_is_said_so_and_what_is_acknowledged_around_it_survives_a_kill(
    folder: Path,
) -> None:
    # Lite's log is torn by a failed write of more than a buffer: without care all that follows it
    # is lost by a kill.
    store = MilvusVectorStore(await MilvusLite.open(folder))
    await store.open_space(SPACE, DIM)
    acknowledged: set[str] = set()

    async def add(numbers: range) -> None:
        for start in numbers:
            await store.add(SPACE, [face(start + n, VECTORS[n]) for n in range(200)])
            acknowledged.update(f"photo {start + n}" for n in range(200))

    with files_of_at_most(400_000):
        with pytest.raises(StorageFull, match="no room"):
            await add(range(0, 5_000, 200))
        assert acknowledged
        assert acknowledged <= await found_photos(store, VECTORS[0])
    await add(range(6_000, 7_000, 200))

    killed = copied_as_a_kill_would_leave_it(folder)
    await store.close()
    gc.collect()

    async with opened(killed) as left:
        await left.open_space(SPACE, DIM)
        assert await found_photos(left, VECTORS[0]) >= acknowledged


@lite_forgets_a_file
async def test_searches_from_memory_go_on_while_the_disk_is_full(folder: Path) -> None:
    store = ResidentVectorStore(MilvusVectorStore(await MilvusLite.open(folder)))
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, [face(n, VECTORS[n]) for n in range(200)])
    with files_of_at_most(10_000):
        for number in (1_000, 1_001):
            with pytest.raises(StorageFull):
                await store.add(SPACE, [face(number, VECTORS[0])])
        assert len(await found_photos(store, VECTORS[0])) == 200
        with pytest.raises(VectorsUnavailable):
            await store.ping()

    await store.add(SPACE, [face(1_002, VECTORS[0])])
    assert len(await found_photos(store, VECTORS[0])) == 201
    await store.close()
    gc.collect()


async def test_a_full_disk_at_the_start_is_one_line(folder: Path) -> None:
    with (
        files_of_at_most(10_000),
        pytest.raises(StoreMisconfigured, match="no room in"),
    ):
        await MilvusLite.open(folder)


async def test_a_closed_store_says_so(folder: Path) -> None:
    store = MilvusVectorStore(await MilvusLite.open(folder))
    await store.close()

    with pytest.raises(VectorsUnavailable, match="closed"):
        await store.ping()


async def test_a_failed_call_is_not_logged_with_a_traceback_besides(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lite = await MilvusLite.open(folder)
    with caplog.at_level(logging.DEBUG), pytest.raises(VectorsUnavailable, match="nobody"):
        await lite.read(lambda client, timeout: client.query("nobody", filter='face_id == "a"'))
    await lite.close()

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_event_loop_is_free_while_lite_works(folder: Path) -> None:
    async with opened(folder) as store:
        await store.open_space(SPACE, DIM)
        adding = asyncio.create_task(
            store.add(SPACE, [face(n, VECTORS[n % 200]) for n in range(3_000)])
        )
        turns = 0
        while not adding.done():
            await asyncio.sleep(0)
            turns += 1
        await adding

    assert turns > 100
