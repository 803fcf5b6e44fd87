"""All rows of a base: out of one moment of its database, and into an empty one.

By the columns that the tables have, so that a column of tomorrow comes along by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import (
    URL,
    ColumnElement,
    Select,
    Table,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import StorageError
from storage.records.dialects import Moment, lock_writers_out, now
from storage.records.engines import make_engines
from storage.records.failures import translated
from storage.records.model import RevisionState
from storage.records.rules import SHOWN
from storage.records.tables import METADATA, faces, photos, revisions

Row = Mapping[str, object]
"""Column → value, as JSON has it; moments as ISO 8601 in UTC."""

LEFT_OUT: Final = frozenset({"leases", "jobs", "schema_compatibility"})
"""What belongs to the database or to the processes that run on a base, and not to the base."""

TABLES: Final = tuple(table for table in METADATA.sorted_tables if table.name not in LEFT_OUT)
"""What a base is, in an order in which it can be filled."""

_PAGE = 1_000
# A statement of ours reads or writes a page. Between two of them the client writes to its disk.
_LIMIT_MILLISECONDS = 60_000

# Not `state IN`: SQLite would collect and sort all that are, for each page.
_IS_KEPT = revisions.c.state.not_in([state.value for state in RevisionState if state not in SHOWN])
_ROWS_KEPT: Final[Mapping[str, ColumnElement[bool]]] = {
    # What is being written, and what waits for the sweep, is nobody's photo.
    "revisions": _IS_KEPT,
    "faces": exists().where(revisions.c.id == faces.c.revision, _IS_KEPT),
    "photos": photos.c.current_revision.is_not(None) | photos.c.staged_revision.is_not(None),
}


class RowsRefused(StorageError):
    """Rows that the tables of this version have no place for. One line that says why."""


class NotEmpty(StorageError):
    """There are rows already where others were to go. Nothing was changed."""


class RecordSnapshot:
    """Rows as they all were at one moment. Made by `snapshot`."""

    def __init__(self, connection: AsyncConnection, moment: datetime, schema_version: str) -> None:
        self._connection = connection
        self.moment = moment
        """By the clock of the database, in UTC."""
        self.schema_version = schema_version

    async def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        """The rows of one of TABLES in pages, by its primary key; of photos only what is shown."""
        key = tuple(table.primary_key)
        every: Select[tuple[object, ...]] = select(*table.c).order_by(*key).limit(_PAGE)
        if (kept := _ROWS_KEPT.get(table.name)) is not None:
            every = every.where(kept)
        page = every
        while True:
            with translated():
                found = (await self._connection.execute(page)).mappings().all()
            if found:
                yield [{name: _plain(value) for name, value in row.items()} for row in found]
            if len(found) < _PAGE:
                return
            last = [found[-1][column.name] for column in key]
            # The first comparison is for the index.
            page = every.where(key[0] >= last[0], tuple_(*key) > tuple_(*last))


@asynccontextmanager
async def snapshot(url: str | URL, *, timeout_seconds: float) -> AsyncIterator[RecordSnapshot]:
    """The records as they are now, while others go on writing. Their tables must be there.

    Raises RecordsUnavailable.
    """
    async with AsyncExitStack() as opened:
        with translated():  # not the block: what goes wrong there is not the database's
            engines = make_engines(url, timeout_seconds)
            opened.push_async_callback(engines.close)
            connection = await opened.enter_async_context(engines.reader.connect())
            await _begin_reading(connection)
            # The first SELECT from a table is what fixes the moment.
            version = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            moment = (await connection.execute(select(now()))).scalar_one()
        yield RecordSnapshot(connection, moment, str(version))


async def _begin_reading(connection: AsyncConnection) -> None:
    """One transaction for all that follows: the reader's connections begin none by themselves.

    It ends with the connection.
    """
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await _allow_time(connection)
    else:
        await connection.exec_driver_sql("BEGIN")


async def _allow_time(connection: AsyncConnection) -> None:
    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await connection.exec_driver_sql(f"SET LOCAL {limit} = {_LIMIT_MILLISECONDS}")


class RecordImport:
    """A transaction that fills a base. Made by `importing`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows as they are. Raises RowsRefused, RecordsUnavailable, StorageFull."""
        if not rows:
            return
        check_columns(table.name, rows[0])
        values = [{name: _value(table, name, row[name]) for name in row} for row in rows]
        with translated():
            await self._connection.execute(insert(table), values)


@asynccontextmanager
async def importing(url: str | URL, *, timeout_seconds: float) -> AsyncIterator[RecordImport]:
    """One transaction for everything: all of it is there when the block has ended, or nothing.

    Raises NotEmpty, RecordsUnavailable, StorageFull.
    """
    async with AsyncExitStack() as opened:
        with translated():
            engines = make_engines(url, timeout_seconds)
            opened.push_async_callback(engines.close)
            connection = await opened.enter_async_context(engines.writer.connect())
            transaction = await connection.begin()
            await _allow_time(connection)
            for table in TABLES:
                await lock_writers_out(connection, table)
            found = await _counted(connection)
        if found:
            raise NotEmpty(f"the base is not empty ({in_words(found)})")
        yield RecordImport(connection)
        with translated():
            await transaction.commit()


async def rows_there(url: str | URL, *, timeout_seconds: float) -> Mapping[str, int]:
    """How many rows each of TABLES has, where it has any. Raises RecordsUnavailable."""
    engines = make_engines(url, timeout_seconds)
    try:
        with translated():
            async with engines.reader.connect() as connection:
                return await _counted(connection)
    finally:
        await engines.close()


def in_words(rows: Mapping[str, int]) -> str:
    """Such as "photos: 2, spaces: 1"."""
    return ", ".join(f"{name}: {count:,}" for name, count in rows.items())


def check_columns(table_name: str, columns: Collection[str]) -> None:
    """Raises RowsRefused if rows with these columns do not fit the table of this version."""
    table = next((table for table in TABLES if table.name == table_name), None)
    if table is None:
        raise RowsRefused(f"this version knows no {table_name}: use the one that wrote them")
    if unknown := sorted(set(columns) - set(table.c.keys())):
        raise RowsRefused(
            f"this version knows no {', '.join(unknown)} of {table_name}: use the one that wrote it"
        )
    missing = [
        column.name
        for column in table.c
        if column.name not in columns and not column.nullable and column.server_default is None
    ]
    if missing:
        raise RowsRefused(f"{table_name} came without {', '.join(missing)}")


async def _counted(connection: AsyncConnection) -> Mapping[str, int]:
    counts = {
        table.name: await connection.scalar(
            select(func.count(literal_column("1"))).select_from(table)
        )
        for table in TABLES
    }
    return {name: count for name, count in counts.items() if count}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _value(table: Table, name: str, value: object) -> object:
    if isinstance(table.c[name].type, Moment) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value
