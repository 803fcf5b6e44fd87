"""Records in SQLite or PostgreSQL."""

from __future__ import annotations

from typing import Self

from sqlalchemy import URL

from storage.records.database import Database
from storage.records.engines import CONNECTIONS, make_engines
from storage.records.sql_collecting import SqlCollecting
from storage.records.sql_operations import SqlOperations
from storage.records.sql_reading import SqlReading
from storage.records.sql_space_states import SqlSpaces
from storage.records.sql_writing import SqlWriting


class SqlRecordStore(SqlWriting, SqlReading, SqlCollecting, SqlSpaces, SqlOperations):
    """A RecordStore in a database that outlives the process. Make one with `open`."""

    @classmethod
    async def open(
        cls, url: str | URL, *, timeout_seconds: float = 5.0, connections: int = CONNECTIONS
    ) -> Self:
        """Connect, and make or update the tables.

        `url` is `postgresql://…` with libpq's parameters, or `sqlite:///` and a path (see
        `engines.sqlite_url`). No call takes much longer than `timeout_seconds`, but for those
        that touch every row. A database that is away is no error here: calls raise
        RecordsUnavailable until it is back. Raises StoreMisconfigured, one line that says why,
        for what cannot work. `connections`: the most to PostgreSQL; further calls wait.
        """
        engines = make_engines(url, timeout_seconds, connections=connections)
        database = Database(engines, timeout_seconds)
        try:
            await database.prepare()
        except BaseException:
            await database.close()
            raise
        return cls(database)

    async def close(self) -> None:
        await self._database.close()
