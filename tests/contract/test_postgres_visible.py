"""Look-ups of searches, straight to PostgreSQL: when the server ends, hangs or is back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncpg
import pytest

from storage.errors import RecordsUnavailable
from storage.identity import FaceId, PhotoKey
from storage.records.sql import SqlRecordStore
from tests.contract.postgres_server import PostgresServer
from tests.contract.sample_photos import SPACE, enrolled

TIMEOUT_SECONDS = 2.0


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """To be killed and started again; running at the end."""
    yield postgres
    if not (postgres.folder / "data" / "postmaster.pid").exists():
        postgres.start()


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[SqlRecordStore]:
    url = await server.empty_database()
    store = await SqlRecordStore.open(url, timeout_seconds=TIMEOUT_SECONDS)
    yield store
    await store.close()


async def faces_of(store: SqlRecordStore, photo_id: str) -> list[FaceId]:
    made = await enrolled(store, PhotoKey("", photo_id), faces=2)
    return [face.face_id for face in made.photo.faces]


async def found(store: SqlRecordStore, faces: Sequence[FaceId]) -> list[FaceId]:
    return list(await store.visible(SPACE, faces))


@pytest.mark.parametrize("connections", [1, 2])
async def test_each_of_many_at_once_gets_its_own(server: PostgresServer, connections: int) -> None:
    url = await server.empty_database()
    store = await SqlRecordStore.open(url, connections=connections)
    photos = [await faces_of(store, str(n)) for n in range(3)]
    unknown = FaceId(photos[0][0][:-1] + "7")

    answers = await asyncio.gather(
        *(found(store, [*photos[n % 3], unknown]) for n in range(30)), found(store, [])
    )

    assert [sorted(answer) for answer in answers] == [sorted(photos[n % 3]) for n in range(30)] + [
        []
    ]
    await store.close()


async def test_a_server_that_was_restarted_between_two_costs_no_call(
    store: SqlRecordStore, server: PostgresServer
) -> None:
    faces = await faces_of(store, "a")
    assert await found(store, faces) == faces
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)

    assert await found(store, faces) == faces


async def test_a_connection_that_somebody_ended_costs_no_call(
    store: SqlRecordStore, server: PostgresServer
) -> None:
    faces = await faces_of(store, "a")
    assert await found(store, faces) == faces
    other = await asyncpg.connect(server.url("postgres"))
    ours = "FROM pg_stat_activity WHERE application_name = 'facesearch'"
    await other.fetch(f"SELECT pg_terminate_backend(pid) {ours}")
    await other.close()

    assert await found(store, faces) == faces


async def test_a_server_that_is_away_is_told_to_all_who_wait_and_back_by_itself(
    store: SqlRecordStore, server: PostgresServer
) -> None:
    faces = await faces_of(store, "a")
    await found(store, faces)
    await asyncio.to_thread(server.kill)

    answers = await asyncio.gather(*(found(store, faces) for _ in range(5)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [RecordsUnavailable] * 5
    await asyncio.to_thread(server.start)
    assert await found(store, faces) == faces


async def test_nobody_waits_longer_than_he_may_and_the_next_is_answered(
    store: SqlRecordStore, server: PostgresServer
) -> None:
    faces = await faces_of(store, "a")
    await found(store, faces)
    other = await asyncpg.connect(server.url("postgres"))
    await other.execute("BEGIN; LOCK TABLE faces IN ACCESS EXCLUSIVE MODE")
    begun = time.monotonic()

    answers = await asyncio.gather(*(found(store, faces) for _ in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [RecordsUnavailable] * 3
    assert time.monotonic() - begun < 3 * TIMEOUT_SECONDS
    await other.execute("ROLLBACK")
    await other.close()
    assert await found(store, faces) == faces


async def test_a_server_that_hangs_keeps_nobody_from_ending(
    store: SqlRecordStore, server: PostgresServer
) -> None:
    await found(store, await faces_of(store, "a"))
    other = await asyncpg.connect(server.url("postgres"))
    ours = "FROM pg_stat_activity WHERE application_name = 'facesearch'"
    (look_ups,) = await other.fetch(f"SELECT pid {ours} AND query LIKE '%json_array_elements%'")
    await other.close()
    os.kill(look_ups["pid"], signal.SIGSTOP)
    try:
        await store.close()
    finally:
        os.kill(look_ups["pid"], signal.SIGCONT)


async def test_after_the_end_the_records_are_away(store: SqlRecordStore) -> None:
    faces = await faces_of(store, "a")
    await found(store, faces)
    await store.close()
    await store.close()

    with pytest.raises(RecordsUnavailable):
        await found(store, faces)
