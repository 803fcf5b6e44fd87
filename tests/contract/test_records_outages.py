"""What a caller hears while the database is away, in use, full or wrong, and afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from storage.errors import RecordsUnavailable, StorageFull, StoreMisconfigured
from storage.identity import PhotoKey
from storage.records.engines import sqlite_url
from storage.records.model import PhotoFilter
from storage.records.sql import SqlRecordStore
from tests.contract.postgres_server import PostgresServer
from tests.contract.sample_photos import BEACH, SPACE, began, enrolled
from tests.unit.storage.limits import run_with_small_files, run_without_rights

OPEN = """
import asyncio, sys
from storage.errors import StoreMisconfigured
from storage.records.sql import SqlRecordStore
try:
    asyncio.run(SqlRecordStore.open("sqlite:///" + sys.argv[1]))
except StoreMisconfigured as error:
    print(error)
"""

FILL = """
import asyncio
from storage.errors import StorageFull
from storage.identity import PhotoKey, SpaceId
from storage.records.model import PhotoFilter
from storage.records.sql import SqlRecordStore

async def main():
    records = await SqlRecordStore.open("sqlite:///" + sys.argv[2])
    written = 0
    while True:
        try:
            mine = await records.begin(PhotoKey("", str(written)), "0" * 64, 1)
            await records.commit_live(mine.id, width=1, height=1, faces=[], space=SpaceId("s"))
        except StorageFull:
            break
        written += 1
    assert written
    assert await records.count_photos(PhotoFilter()) == written
    assert await records.photo(PhotoKey("", str(written))) is None
    await records.close()
    print("full after", written)

asyncio.run(main())
"""


@pytest.fixture
async def on_postgres(postgres: PostgresServer) -> AsyncIterator[SqlRecordStore]:
    store = await SqlRecordStore.open(await postgres.empty_database(), timeout_seconds=2)
    yield store
    await store.close()


@pytest.fixture
def away(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server, to be killed and started again; running at the end."""
    yield postgres
    if not (postgres.folder / "data" / "postmaster.pid").exists():
        postgres.start()


async def test_a_killed_postgres_is_away_and_back_by_itself(
    on_postgres: SqlRecordStore, away: PostgresServer
) -> None:
    kept = (await enrolled(on_postgres)).photo
    await asyncio.to_thread(away.kill)
    for call in (
        on_postgres.photo(BEACH),
        began(on_postgres),
        on_postgres.remove_photo(BEACH),
        on_postgres.list_photos(PhotoFilter(), after=None, limit=1),
        on_postgres.take_lease("sweep", "me", 1),
        on_postgres.clock(),
        on_postgres.ping(),
    ):
        with pytest.raises(RecordsUnavailable):
            await call
    with pytest.raises(RecordsUnavailable):
        [page async for page in on_postgres.live_revisions()]
    await asyncio.to_thread(away.start)
    assert await on_postgres.photo(BEACH) == kept
    assert (await enrolled(on_postgres, PhotoKey("", "after"))).created
    await on_postgres.ping()


async def test_writers_whose_server_is_killed_hear_of_it_and_the_photo_is_whole(
    on_postgres: SqlRecordStore, away: PostgresServer
) -> None:
    writers = [asyncio.create_task(enrolled(on_postgres, PhotoKey("", f"{n}"))) for n in range(20)]
    await asyncio.wait(writers, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.to_thread(away.kill)
    answers = await asyncio.gather(*writers, return_exceptions=True)
    await asyncio.to_thread(away.start)
    for n, answer in enumerate(answers):
        assert not isinstance(answer, BaseException) or isinstance(answer, RecordsUnavailable)
        photo = await on_postgres.photo(PhotoKey("", f"{n}"))
        assert photo is None or len(photo.faces) == 2
        if not isinstance(answer, BaseException):
            assert photo == answer.photo


async def test_a_store_opens_while_postgres_is_away_and_works_once_it_is_there(
    away: PostgresServer,
) -> None:
    url = await away.empty_database()
    await asyncio.to_thread(away.kill)
    store = await SqlRecordStore.open(url, timeout_seconds=2)
    with pytest.raises(RecordsUnavailable):
        await store.ping()
    await asyncio.to_thread(away.start)
    await store.ping()
    assert (await enrolled(store)).created
    await store.close()


async def test_nothing_waits_longer_than_it_may_for_a_lock_in_postgres(
    on_postgres: SqlRecordStore, postgres: PostgresServer
) -> None:
    mine = await began(on_postgres)
    commit = partial(on_postgres.commit_live, mine.id, width=1, height=1, faces=[], space=SPACE)
    other = await asyncpg.connect(postgres.url("postgres"))
    await other.execute("BEGIN; LOCK TABLE photos IN EXCLUSIVE MODE")
    began_at = time.monotonic()
    with pytest.raises(RecordsUnavailable):
        await commit()
    assert time.monotonic() - began_at < 6
    await other.execute("ROLLBACK")
    assert (await commit()).created
    await other.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://postgres@/nobody?host={}", 'database "nobody" does not exist'),
        ("postgresql://nobody@/postgres?host={}", 'role "nobody" does not exist'),
        ("postgresql://postgres@/postgres?host={}&nonsense=1", "nonsense"),
    ],
)
async def test_a_postgres_url_that_cannot_work_stops_the_start(
    postgres: PostgresServer, url: str, reason: str
) -> None:
    with pytest.raises(StoreMisconfigured, match=f"PostgreSQL refuses: .*{reason}"):
        await SqlRecordStore.open(url.format(postgres.folder))


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://host/base", "postgresql://host:port/base", "sqlite://"]
)
async def test_a_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(StoreMisconfigured):
        await SqlRecordStore.open(url)


async def test_a_locked_file_can_be_read_but_not_written(tmp_path: Path) -> None:
    file = tmp_path / "records.sqlite"
    store = await SqlRecordStore.open(sqlite_url(file), timeout_seconds=0.2)
    kept = (await enrolled(store)).photo
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordsUnavailable):
            await began(store)
        with pytest.raises(RecordsUnavailable):
            await store.ping()
        assert await store.photo(BEACH) == kept
        other.execute("ROLLBACK")
    await store.ping()
    await began(store)
    await store.close()


async def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    file = tmp_path / "a ?b=1&c#d%20ü.sqlite"
    store = await SqlRecordStore.open(sqlite_url(file))
    await store.ping()
    await store.close()
    assert file.exists()


def test_a_photo_that_does_not_fit_in_the_file_leaves_no_half(tmp_path: Path) -> None:
    said = run_with_small_files(FILL, 400_000, tmp_path / "records.sqlite")
    assert said.startswith("full after ")


async def test_a_database_that_reached_its_limit_is_full(tmp_path: Path) -> None:
    store = await SqlRecordStore.open(sqlite_url(tmp_path / "records.sqlite"))
    async with store._database.write() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 40")
    for _ in range(20):
        await began(store)
    with pytest.raises(StorageFull):
        await enrolled(store, faces=1000)
    assert await store.photo(BEACH) is None
    await store.close()


def test_a_folder_that_cannot_be_written_to_stops_the_start() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        said = run_without_rights(OPEN, f"{folder}/records.sqlite")
    assert said == "records cannot be kept here: the file cannot be opened or made\n"


def test_a_file_that_cannot_be_written_to_stops_the_start() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.sqlite"
        asyncio.run(_open_and_close(file))
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        said = run_without_rights(OPEN, file)
    assert said == "records cannot be kept here: the file or its folder is read-only\n"


async def test_a_file_that_is_no_database_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "records.sqlite"
    file.write_bytes(b"a photo, perhaps" * 1000)
    with pytest.raises(StoreMisconfigured, match="not a SQLite database"):
        await SqlRecordStore.open(sqlite_url(file))


async def _open_and_close(file: Path) -> None:
    await (await SqlRecordStore.open(sqlite_url(file))).close()


async def test_a_postgres_that_hangs_is_given_up_in_time(
    on_postgres: SqlRecordStore, postgres: PostgresServer
) -> None:
    await enrolled(on_postgres)
    with postgres.frozen():
        for call in (on_postgres.photo(BEACH), on_postgres.remove_photo(BEACH)):
            began_at = time.monotonic()
            with pytest.raises(RecordsUnavailable):
                await call
            assert time.monotonic() - began_at < 8
    assert await on_postgres.photo(BEACH) is not None
