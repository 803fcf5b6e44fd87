"""Connections and transactions, SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.errors import RecordsUnavailable, StorageError
from storage.identity import FaceId, SpaceId
from storage.records.engines import Engines
from storage.records.failures import at_open, translated
from storage.records.migrations.run import migrate
from storage.records.model import Box
from storage.records.postgres_visible import PostgresVisible
from storage.records.sqlite_visible import SqliteVisible
from storage.records.visible import PooledVisible, VisibleFaces

# For what touches every row, and for waiting until another process has migrated.
_LONG_SECONDS = 60.0

_log = structlog.get_logger(__name__)


class Database:
    """Hands out transactions; knows whether the tables are there yet."""

    def __init__(self, engines: Engines, timeout_seconds: float) -> None:
        self._engines = engines
        self._visible = _visible_by(engines, timeout_seconds)
        self._timeout_seconds = timeout_seconds
        self._long_seconds = max(_LONG_SECONDS, timeout_seconds)
        self._is_migrated = False
        self._migrating = asyncio.Lock()

    async def prepare(self) -> None:
        """Make or update the tables.

        Raises StoreMisconfigured for what cannot work. A database that is away is left for later:
        the first call that reaches it does this then.
        """
        try:
            await self._migrate()
        except RecordsUnavailable as error:
            _log.warning("records_unavailable", reason=str(error))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one SELECT, which is its own transaction. It waits for no writer."""
        await self._ensure_migrated()
        with translated():
            async with asyncio.timeout(self._timeout_seconds), self._engines.reader.connect() as c:
                yield c

    @asynccontextmanager
    async def write(self, *, is_long: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction that is durable when the block has ended, and leaves no trace if it fails.

        SQLite: the only writer, from the beginning. `is_long`: it may touch every row.
        """
        await self._ensure_migrated()
        limit = self._long_seconds if is_long else self._timeout_seconds
        with translated():
            async with asyncio.timeout(limit), self._engines.writer.begin() as connection:
                if is_long:
                    await _allow_seconds(connection, limit)
                yield connection

    async def visible(self, space: SpaceId, faces: Sequence[FaceId]) -> Mapping[FaceId, Box]:
        """RecordStore.visible, for ids that are ours."""
        await self._ensure_migrated()
        with translated():
            async with asyncio.timeout(self._timeout_seconds):
                return await self._visible(space, faces)

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        await self._visible.close()
        await self._engines.close()

    async def _ensure_migrated(self) -> None:
        if self._is_migrated:
            return
        try:
            await self._migrate()
        except RecordsUnavailable:
            raise
        except StorageError as error:
            raise RecordsUnavailable(str(error)) from error

    async def _migrate(self) -> None:
        async with self._migrating:
            if self._is_migrated:
                return
            with translated():
                try:
                    async with asyncio.timeout(self._long_seconds):
                        await self._engines.use_write_ahead_log()
                        await self._run(self._engines.writer)
                except DBAPIError as error:
                    meaning = at_open(error)
                    if meaning is None:
                        raise
                    raise meaning from error
            self._is_migrated = True

    async def _run(self, writer: AsyncEngine) -> None:
        async with writer.begin() as connection:
            await _allow_seconds(connection, self._long_seconds)
            await connection.run_sync(migrate)


def _visible_by(engines: Engines, timeout_seconds: float) -> VisibleFaces:
    """The shortest way there is."""
    if engines.direct_reader is not None:
        return SqliteVisible(engines.direct_reader)
    if engines.connect_directly is not None:
        return PostgresVisible(engines.connect_directly, timeout_seconds)
    return PooledVisible(engines.reader)


async def _allow_seconds(connection: AsyncConnection, seconds: float) -> None:
    if connection.dialect.name == "postgresql":
        milliseconds = round(seconds * 1000)
        await connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))
