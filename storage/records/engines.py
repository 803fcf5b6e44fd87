"""A URL to SQLAlchemy engines, with the settings that make each database keep its word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from storage.errors import StoreMisconfigured
from storage.records.sqlite_connection import LettingGo

_SQLITE = "sqlite+aiosqlite"
_DIRECT_SQLITE = "sqlite+pysqlite"
_POSTGRESQL = "postgresql+asyncpg"
_DRIVERS = {
    "sqlite": _SQLITE,
    _SQLITE: _SQLITE,
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
    _POSTGRESQL: _POSTGRESQL,
}
_READERS = 4
CONNECTIONS = 15
"""The most connections to PostgreSQL, unless somebody says otherwise."""
_KEPT_CONNECTIONS = 5
_DIRECT_CONNECTIONS = 1
"""Of these, for the look-ups of searches."""
_RETRY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Engines:
    """The same database, once for reading and once for writing."""

    reader: AsyncEngine
    writer: AsyncEngine
    direct_reader: Engine | None = None
    """SQLite: for reading without asyncio, in a thread that makes and uses the connection."""
    connect_directly: Callable[[], Awaitable[asyncpg.Connection]] | None = None
    """PostgreSQL: makes a connection beside those of the engines, where there is one to spare."""

    async def use_write_ahead_log(self) -> None:
        """Set a SQLite file to WAL; the file remembers it.

        Several processes that start on a new file meet here, and SQLite does not wait for this
        lock whatever its busy timeout (https://sqlite.org/wal.html#sometimes_queries_return_sqlite_busy_in_wal_mode).
        """
        if self.writer.dialect.name != "sqlite":
            return
        while True:
            # Not the writer: its connections begin a transaction, where the mode cannot change.
            engine = create_async_engine(
                self.writer.url, poolclass=NullPool, isolation_level="AUTOCOMMIT"
            )
            try:
                async with engine.connect() as connection:
                    await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                return
            except DBAPIError as error:
                if "locked" not in str(error.orig):
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    async def close(self) -> None:
        """Close the connections that nobody uses. Safe to call twice."""
        await self.reader.dispose()
        await self.writer.dispose()


def sqlite_url(file: Path) -> URL:
    """The URL of a SQLite file, whatever characters its path has."""
    return URL.create(_SQLITE, database=str(file))


def make_engines(
    url: str | URL, timeout_seconds: float, *, connections: int = CONNECTIONS
) -> Engines:
    """Engines for a URL. Nothing is connected yet. `connections`: the most to PostgreSQL.

    Raises StoreMisconfigured for a URL that cannot work.
    """
    parsed = _parse(url)
    if parsed.drivername == _SQLITE:
        return _sqlite(parsed, timeout_seconds)
    return _postgresql(parsed, timeout_seconds, connections)


def _parse(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # the text may hold a password: do not show it
        raise StoreMisconfigured("the records URL is not a URL") from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        msg = f"records cannot be kept in {parsed.drivername}: use postgresql:// or sqlite:///"
        raise StoreMisconfigured(msg)
    return parsed.set(drivername=driver)


def _sqlite(url: URL, timeout_seconds: float) -> Engines:
    if url.database in {None, "", ":memory:"}:
        raise StoreMisconfigured("records cannot be kept in SQLite without a file: use memory://")
    # `isolation_level` None: the driver begins no transaction by itself; we say how below.
    arguments = {"timeout": timeout_seconds, "isolation_level": None}
    letting_go = arguments | {"factory": LettingGo}
    reader = create_async_engine(
        url,
        hide_parameters=True,  # names of photos are for no log
        isolation_level="AUTOCOMMIT",
        connect_args=letting_go,
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=timeout_seconds,
    )
    # One connection: writers of this process wait in line here, which is fair and cheap, and not
    # in SQLite, whose waiters sleep and try again (p99 80-330 ms with four of them).
    writer = create_async_engine(
        url,
        hide_parameters=True,
        connect_args=letting_go,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timeout_seconds,
    )
    direct_reader = create_engine(
        url.set(drivername=_DIRECT_SQLITE),
        hide_parameters=True,
        connect_args=arguments,
        poolclass=NullPool,
    )
    event.listen(reader.sync_engine, "connect", _set_up_sqlite_reader)
    event.listen(direct_reader, "connect", _set_up_sqlite_reader)
    event.listen(writer.sync_engine, "connect", _set_up_sqlite)
    event.listen(writer.sync_engine, "begin", _begin_immediate)
    return Engines(reader, writer, direct_reader)


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # FULL: a commit is on the disk when it returns, also if the power goes.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _set_up_sqlite_reader(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    _set_up_sqlite(connection, entry)
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once if another one wrote between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql(url: URL, timeout_seconds: float, connections: int) -> Engines:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    milliseconds = str(round(timeout_seconds * 1000))

    async def connect() -> asyncpg.Connection:
        # The driver reads the URL: it knows libpq's parameters, such as sslmode.
        return await asyncpg.connect(
            address,
            timeout=timeout_seconds,
            server_settings={
                "application_name": "facesearch",
                "statement_timeout": milliseconds,
                # A stopped process must not keep a photo locked.
                "idle_in_transaction_session_timeout": milliseconds,
                # Compiling costs more than these short queries.
                "jit": "off",
            },
        )

    pooled = max(connections - _DIRECT_CONNECTIONS, 1)
    writer = create_async_engine(
        url,
        hide_parameters=True,
        async_creator=connect,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=min(pooled, _KEPT_CONNECTIONS),
        max_overflow=max(pooled - _KEPT_CONNECTIONS, 0),
        pool_timeout=timeout_seconds,
    )
    # The same pool: a read is one statement, which needs no BEGIN and no ROLLBACK around it.
    reader = writer.execution_options(isolation_level="AUTOCOMMIT")
    return Engines(reader, writer, connect_directly=connect if pooled < connections else None)
