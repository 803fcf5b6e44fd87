"""How many connections the records take, and what happens where there are none to be had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest

from storage.errors import RecordsUnavailable
from storage.identity import PhotoKey
from storage.records.model import PhotoFilter
from storage.records.sql import SqlRecordStore
from tests.contract.postgres_server import PostgresServer
from tests.contract.postgrest_views import forget_role, url_of
from tests.contract.sample_photos import BEACH, SPACE, enrolled

LIMITED = "facesearch_limited"
_OURS = "FROM pg_stat_activity WHERE application_name = 'facesearch'"


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + 60
    while not await holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def is_answered(store: SqlRecordStore) -> bool:
    try:
        await store.ping()
    except RecordsUnavailable:
        return False
    return True


@pytest.fixture
async def admin(postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    await postgres.empty_database()
    connection = await asyncpg.connect(postgres.url("postgres"))
    yield connection
    await connection.close()


@pytest.fixture
def away(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server, to be killed and started again; running at the end."""
    yield postgres
    if not (postgres.folder / "data" / "postmaster.pid").exists():
        postgres.start()


async def test_there_are_never_more_connections_than_the_setting_says(
    admin: asyncpg.Connection, postgres: PostgresServer
) -> None:
    store = await SqlRecordStore.open(postgres.url("postgres"), timeout_seconds=60, connections=4)
    locking = await asyncpg.connect(postgres.url("postgres"))  # whose view of others stands still
    async with locking.transaction():
        await locking.execute("LOCK TABLE photos IN EXCLUSIVE MODE")
        photos = [PhotoKey("", str(n)) for n in range(12)]
        writers = [asyncio.create_task(enrolled(store, photo)) for photo in photos]

        async def all_wait() -> bool:
            waiting = f"SELECT count(*) {_OURS} AND wait_event_type = 'Lock'"
            return bool(await admin.fetchval(waiting) == 3)

        await until(all_wait, "three writers wait for the lock, the others for a connection")
        assert await admin.fetchval(f"SELECT count(*) {_OURS}") == 3
    made = await asyncio.gather(*writers)
    assert all(each.created for each in made)
    faces = [face.face_id for each in made for face in each.photo.faces]
    # However many searches there are: their look-ups share one.
    found = await asyncio.gather(*(store.visible(SPACE, faces[n:]) for n in range(12)))
    assert [set(each) for each in found] == [set(faces[n:]) for n in range(12)]
    assert await admin.fetchval(f"SELECT count(*) {_OURS}") == 4
    await locking.close()
    await store.close()


async def test_calls_that_get_no_connection_in_time_hear_so(
    admin: asyncpg.Connection, postgres: PostgresServer
) -> None:
    store = await SqlRecordStore.open(postgres.url("postgres"), timeout_seconds=1, connections=1)
    async with admin.transaction():
        await admin.execute("LOCK TABLE photos IN EXCLUSIVE MODE")
        writers = (enrolled(store, PhotoKey("", str(n))) for n in range(3))
        answers = await asyncio.gather(*writers, return_exceptions=True)
    assert {type(answer) for answer in answers} == {RecordsUnavailable}
    assert (await enrolled(store)).created
    await store.close()


async def test_a_server_without_a_connection_to_spare_is_away_and_back_by_itself(
    admin: asyncpg.Connection, postgres: PostgresServer
) -> None:
    await forget_role(postgres, LIMITED)
    await admin.execute(f"CREATE ROLE {LIMITED} LOGIN CONNECTION LIMIT 1")
    await admin.execute(f"GRANT ALL ON SCHEMA public TO {LIMITED}")
    url = url_of(postgres, LIMITED)
    other = await asyncpg.connect(url)

    # As it starts: nothing is migrated yet.
    store = await SqlRecordStore.open(url, timeout_seconds=5)
    with pytest.raises(RecordsUnavailable, match="too many connections"):
        await enrolled(store)
    await other.close()
    await until(lambda: is_answered(store), "the store is back")
    assert (await enrolled(store)).created

    # And later: the one connection is lost, and somebody else takes its place.
    async def took_its_place() -> bool:
        nonlocal other
        await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", LIMITED
        )
        try:
            other = await asyncpg.connect(url)
        except asyncpg.TooManyConnectionsError:
            return False
        return True

    await until(took_its_place, "the place is taken")
    for call in (store.photo(BEACH), store.remove_photo(BEACH), store.ping()):
        with pytest.raises(RecordsUnavailable, match="too many connections"):
            await call
    await other.close()
    await until(lambda: is_answered(store), "the store is back again")
    assert await store.photo(BEACH) is not None
    await store.close()
    await admin.execute(f"DROP OWNED BY {LIMITED} CASCADE; DROP ROLE {LIMITED}")


async def test_a_server_that_is_restarted_under_load_costs_calls_and_no_photo(
    away: PostgresServer,
) -> None:
    url = await away.empty_database()
    store = await SqlRecordStore.open(url, timeout_seconds=10, connections=4)
    kept: list[PhotoKey] = []
    refused = 0
    stopped = asyncio.Event()

    async def enrol(worker: int) -> None:
        nonlocal refused
        number = 0
        while not stopped.is_set():
            photo = PhotoKey(str(worker), str(number))
            number += 1
            try:
                await enrolled(store, photo)
            except RecordsUnavailable:
                refused += 1
                await asyncio.sleep(0.02)
            else:
                kept.append(photo)

    async def has_kept(more: int) -> bool:
        return len(kept) >= more

    async def has_refused() -> bool:
        return refused > 0

    async with asyncio.TaskGroup() as tasks:
        for worker in range(8):
            tasks.create_task(enrol(worker))
        await until(lambda: has_kept(20), "photos are kept")
        await asyncio.to_thread(away.kill)
        await until(has_refused, "calls are refused")
        await asyncio.to_thread(away.start)
        before = len(kept)
        await until(lambda: has_kept(before + 20), "photos are kept again")
        stopped.set()

    page = await store.list_photos(PhotoFilter(), after=None, limit=100_000)
    listed = {line.photo: line.faces_indexed for line in page.items}
    assert set(kept) <= listed.keys()
    assert set(listed.values()) == {2}  # of what was refused, all is there or nothing
    await store.close()
