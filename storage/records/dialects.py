"""Where SQLite and PostgreSQL differ: types, the clock, lists of names, locks."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Dialect, Table, Text, bindparam, column, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

# Both engines then order and compare names by code point.
NAME = Text().with_variant(Text(collation="C"), "postgresql")


class Moment(TypeDecorator[datetime]):
    """A point in time in UTC: `timestamptz` in PostgreSQL, text without a zone in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class in_seconds(FunctionElement[datetime]):  # noqa: N801  # reads as a function of SQL
    """The database's clock so many seconds from now (negative: ago).

    Not the start of the transaction: writers that waited for each other keep their order.
    """

    type: TypeEngine[datetime] = Moment()
    inherit_cache = True


@compiles(in_seconds, "sqlite")
def _in_seconds_of_sqlite(element: in_seconds, compiler: SQLCompiler, **kw: object) -> str:
    # Milliseconds are what SQLite's clock has; six digits are how SQLAlchemy writes a moment, and
    # text compares as time only if all of it is written alike.
    seconds = compiler.process(element.clauses, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', printf('%+.3f seconds', {seconds}))"


@compiles(in_seconds, "postgresql")
def _in_seconds_of_postgresql(element: in_seconds, compiler: SQLCompiler, **kw: object) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"


def now() -> in_seconds:
    """The database's clock."""
    return in_seconds(literal(0.0))


class _items(FunctionElement[str]):  # noqa: N801  # as above
    """The strings of a JSON array, a row each, in a column `value`."""

    inherit_cache = True


@compiles(_items, "sqlite")
def _items_of_sqlite(element: _items, compiler: SQLCompiler, **kw: object) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(_items, "postgresql")
def _items_of_postgresql(element: _items, compiler: SQLCompiler, **kw: object) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **kw)} AS JSON))"


def items(array: ColumnElement[str]) -> ColumnElement[str]:
    """The strings of a JSON array, to select from: a column `value`."""
    return _items(array).table_valued(column("value", Text())).c.value


def listed(values: Collection[str]) -> Select[tuple[str]]:
    """A subquery of these strings, to stand after IN.

    One parameter however many they are: no limit of the engine is met, and every call is the
    same prepared statement.
    """
    return select(items(bindparam(None, json.dumps(list(values)), type_=Text())))


Insert = sqlite.Insert | postgresql.Insert


def insert_into(connection: AsyncConnection, table: Table) -> Insert:
    """An INSERT that may have an ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


async def hold_writers_off(connection: AsyncConnection, table: Table) -> None:
    """Wait for whoever has locked writers out of the table, and let nobody do so meanwhile.

    Many may hold it at once. SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"LOCK TABLE {table.name} IN ROW EXCLUSIVE MODE"))


async def lock_writers_out(connection: AsyncConnection, table: Table) -> None:
    """Let nobody else write to the table, or lock its rows, until the transaction ends.

    SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE"))
