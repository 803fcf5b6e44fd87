"""The look-up of every search, straight to PostgreSQL, by a connection of its own.

By way of SQLAlchemy's pool it takes 0.7 ms of an edge where this takes 0.2: a question whether the
connection still works goes before each query, and searches at once take several connections, of
which those beyond the kept ones are made and closed every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from storage.identity import FaceId, SpaceId
from storage.records.look_ups import LookUps
from storage.records.model import Box
from storage.records.visible import VisibleRow, compiled_visible

_ENDED = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What a connection raises that the server has ended. The internal error comes where the server's
last word has arrived and the end of the connection has not."""

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class PostgresVisible:
    """Which faces are visible. What comes in while a query runs goes together in the next."""

    def __init__(self, connect: Connect, timeout_seconds: float) -> None:
        """Connects when it is first asked. timeout_seconds: of a query, connecting included."""
        self._query = compiled_visible(dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's
        self._connect = connect
        self._timeout_seconds = timeout_seconds
        self._connection: asyncpg.Connection | None = None
        self._reading: asyncio.Task[Sequence[VisibleRow]] | None = None
        self._look_ups = LookUps(self._begin)

    async def __call__(self, space: SpaceId, faces: Sequence[FaceId]) -> dict[FaceId, Box]:
        """Those of `faces`, ids of ours, that are visible. Raises what the driver raises."""
        return await self._look_ups(space, faces)

    async def close(self) -> None:
        """Finish what is in flight, close the connection. Safe to call twice."""
        self._look_ups.close()
        while self._reading is not None and not self._reading.done():
            await asyncio.wait([self._reading])
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=self._timeout_seconds)
            except _ENDED:
                connection.terminate()  # a server that is gone or hangs keeps nobody from ending

    def _begin(self, space: SpaceId, wanted: str) -> asyncio.Future[Sequence[VisibleRow]]:
        self._reading = asyncio.create_task(self._read(space, wanted), name="visible")
        return self._reading

    async def _read(self, space: SpaceId, wanted: str) -> Sequence[VisibleRow]:
        values = self._query.values(space, wanted)
        try:
            # A server that hangs, or is gone without a word, must not hold up those who wait.
            async with asyncio.timeout(self._timeout_seconds):
                known = self._connection
                if known is not None and not known.is_closed():
                    try:
                        return await self._fetched(known, values)
                    except _ENDED:
                        self._disconnect()  # since the last query; the server may be there again
                self._connection = await self._connect()
                return await self._fetched(self._connection, values)
        except BaseException:
            self._disconnect()  # the next one begins anew
            raise

    async def _fetched(
        self, connection: asyncpg.Connection, values: Sequence[object]
    ) -> Sequence[VisibleRow]:
        rows: Sequence[VisibleRow] = await connection.fetch(self._query.sql, *values)
        return rows

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
