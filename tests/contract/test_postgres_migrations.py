"""Several pods that migrate one PostgreSQL database at once, and one of them that is killed."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import asyncpg

from storage.records.sql import SqlRecordStore
from tests.contract.postgres_server import PostgresServer
from tests.contract.sample_photos import enrolled

ROOT = Path(__file__).resolve().parents[2]

HALFWAY = """
import asyncio, sys
from storage.records.engines import make_engines
from storage.records.migrations.run import migrate

async def main():
    engines = make_engines(sys.argv[1], 60)
    async with engines.writer.begin() as connection:
        await connection.run_sync(migrate)
        print("migrated", flush=True)
        await asyncio.Event().wait()  # for ever: nothing is committed

asyncio.run(main())
"""


async def waiting_for_the_lock(server: PostgresServer) -> int:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        waiting: int = await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        return waiting
    finally:
        await connection.close()


async def test_whoever_comes_later_waits_and_takes_over_when_the_first_is_killed(
    postgres: PostgresServer,
) -> None:
    url = await postgres.empty_database()
    first = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HALFWAY, url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert first.stdout is not None
    assert await first.stdout.readline() == b"migrated\n"

    later = [asyncio.create_task(SqlRecordStore.open(url, timeout_seconds=60)) for _ in range(3)]
    deadline = time.monotonic() + 60
    while await waiting_for_the_lock(postgres) < len(later):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert not any(each.done() for each in later)

    first.kill()
    await first.wait()
    stores = await asyncio.gather(*later)
    assert (await enrolled(stores[0])).created
    for store in stores:
        await store.ping()
        await store.close()
