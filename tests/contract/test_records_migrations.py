"""The tables that the migrations make."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from storage.errors import StoreMisconfigured
from storage.identity import PhotoKey, SpaceId
from storage.records.engines import make_engines
from storage.records.migrations.run import migrate
from storage.records.sql import SqlRecordStore
from storage.records.tables import METADATA

ROOT = Path(__file__).resolve().parents[2]

OPEN = """
import asyncio, sys
from storage.identity import PhotoKey, SpaceId
from storage.records.sql import SqlRecordStore

async def main():
    records = await SqlRecordStore.open(sys.argv[1], timeout_seconds=60)
    for n in range(25):
        mine = await records.begin(PhotoKey(sys.argv[2], str(n)), "0" * 64, 1)
        await records.commit_live(mine.id, width=1, height=1, faces=[], space=SpaceId("s"))
    await records.close()

asyncio.run(main())
"""


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return list(compare_metadata(context, METADATA))


async def test_the_migrations_make_the_tables_that_the_code_knows(sql_url: str) -> None:
    engines = make_engines(sql_url, 30)
    async with engines.writer.begin() as connection:
        await connection.run_sync(migrate)
        assert await connection.run_sync(differences) == []
        await connection.run_sync(migrate)  # nothing is left to do
    await engines.close()


async def test_a_migration_that_fails_leaves_nothing(sql_url: str) -> None:
    engines = make_engines(sql_url, 30)
    async with engines.writer.connect() as connection:
        transaction = await connection.begin()
        await connection.run_sync(migrate)
        await transaction.rollback()  # as a killed process leaves it
    async with engines.writer.begin() as connection:
        assert await connection.run_sync(differences) != []
        await connection.run_sync(migrate)
        assert await connection.run_sync(differences) == []
    await engines.close()


async def test_four_processes_may_start_at_once_on_an_empty_database(sql_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", OPEN, sql_url, f"process {n}"),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        for n in range(4)
    ]
    for process in processes:
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    records = await SqlRecordStore.open(sql_url, timeout_seconds=30)
    assert sum([len(page) async for page in records.live_revisions()]) == 100
    await records.close()


async def test_two_stores_may_open_at_once_in_one_process(sql_url: str) -> None:
    stores = await asyncio.gather(
        *(SqlRecordStore.open(sql_url, timeout_seconds=30) for _ in range(3))
    )
    for store in stores:
        await store.ping()
        await store.close()


async def of_a_newer_version(url: str, oldest_code: str | None) -> None:
    """As code that does not exist yet leaves the tables."""
    await (await SqlRecordStore.open(url, timeout_seconds=30)).close()
    engines = make_engines(url, 30)
    async with engines.writer.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        if oldest_code is None:
            await connection.execute(text("DROP TABLE schema_compatibility"))
        else:
            await connection.execute(
                text("UPDATE schema_compatibility SET oldest_code = :oldest"),
                {"oldest": oldest_code},
            )
    await engines.close()


@pytest.mark.parametrize("oldest_code", [None, "9999"])
async def test_records_of_a_newer_version_stop_the_start(
    sql_url: str, oldest_code: str | None
) -> None:
    await of_a_newer_version(sql_url, oldest_code)
    with pytest.raises(StoreMisconfigured, match="newer version"):
        await SqlRecordStore.open(sql_url, timeout_seconds=30)


async def test_records_that_a_newer_version_only_added_to_are_used(sql_url: str) -> None:
    await of_a_newer_version(sql_url, "0003")
    records = await SqlRecordStore.open(sql_url, timeout_seconds=30)
    mine = await records.begin(PhotoKey("", "1"), "0" * 64, 1)
    await records.commit_live(mine.id, width=1, height=1, faces=[], space=SpaceId("s"))
    assert await records.photo(PhotoKey("", "1")) is not None
    await records.close()
    engines = make_engines(sql_url, 30)
    async with engines.writer.begin() as connection:
        version = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    await engines.close()
    assert version == "9999"
