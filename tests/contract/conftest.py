"""The stores that the contract suites run against."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from storage.photos.folder import FolderPhotoStore
from storage.photos.memory import MemoryPhotoStore
from storage.photos.port import PhotoStore
from storage.photos.s3_open import open_s3
from storage.records.engines import sqlite_url
from storage.records.memory import MemoryRecordStore
from storage.records.port import RecordStore
from storage.records.sql import SqlRecordStore
from tests.contract.postgres_server import PostgresServer, find_binaries, running
from tests.contract.s3_process import Key, S3Process

OpenRecords = Callable[[], Awaitable[RecordStore]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server that nobody else uses."""
    binaries = find_binaries()
    if binaries is None:
        reason = (
            "no PostgreSQL here: install Debian's package postgresql, "
            "or set FACESEARCH_TEST_POSTGRES_BIN to the folder of initdb"
        )
        if os.environ.get("CI"):
            pytest.fail(f"needed in CI: {reason}")
        pytest.skip(reason)
    with running(binaries) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "records.sqlite").render_as_string()
    server: PostgresServer = request.getfixturevalue("postgres")
    return await server.empty_database()


@pytest.fixture
async def sql_store(sql_url: str) -> AsyncIterator[SqlRecordStore]:
    """Empty records in a database."""
    store = await SqlRecordStore.open(sql_url, timeout_seconds=30)
    yield store
    await store.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def open_records(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[OpenRecords]:
    """Opens the same, at first empty, records as often as it is called, as several edges do."""
    opened: list[RecordStore] = []
    url = ""
    if request.param == "memory":
        memory = MemoryRecordStore()
    elif request.param == "sqlite":
        url = sqlite_url(tmp_path / "records.sqlite").render_as_string()
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = await server.empty_database()

    async def open_() -> RecordStore:
        # Long enough for a machine that is busy with something else.
        store = await SqlRecordStore.open(url, timeout_seconds=30) if url else memory
        opened.append(store)
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
async def records(open_records: OpenRecords) -> RecordStore:
    """Empty records."""
    return await open_records()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Process]:
    """An S3 server that nobody else uses."""
    with S3Process() as server:
        yield server


@pytest.fixture(scope="session")
def s3_key(s3: S3Process) -> Key:
    """A key that may do what the documentation asks for."""
    return s3.key()


@pytest.fixture(params=["memory", "folder", "s3"])
async def photos(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PhotoStore]:
    """An empty photo store."""
    store: PhotoStore
    if request.param == "memory":
        store = MemoryPhotoStore()
    elif request.param == "folder":
        store = FolderPhotoStore(tmp_path / "photos")
    else:
        s3: S3Process = request.getfixturevalue("s3")
        key: Key = request.getfixturevalue("s3_key")
        # Long enough for a machine that is busy with something else.
        store = await open_s3(s3.settings(s3.empty_bucket(), key, timeout_seconds=30))
    yield store
    await store.close()
