"""Driver errors in the words of storage.errors."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from storage.errors import RecordsUnavailable, StorageError, StorageFull, StoreMisconfigured

# A write that a limit on the file size stops (EFBIG) comes as one of these; so does a broken disk.
_WRITE_FAILED = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
_PRIMARY = 0xFF  # the low byte of an extended result code is the general one
_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}
_SQLITE_WRONG = {
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened or made",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_PERM: "the file may not be opened",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
}

_DISK_FULL = "53100"
_POSTGRESQL_AWAY = (
    "08",  # connection
    "25006",  # a standby: read-only until it is promoted
    "40",  # deadlock, serialisation
    "53",  # too many connections, out of memory
    "55P03",  # lock not available
    "57",  # cancelled by the statement timeout, shutting down, starting
    "58",  # input and output
    "XX",  # internal
)
_POSTGRESQL_WRONG = (
    "28",  # password, pg_hba.conf
    "3D",  # no such database
    "3F",  # no such schema
    "42501",  # may not create tables
    "42704",  # a parameter in the URL that is not known
)


Failure: TypeAlias = (
    DBAPIError
    | sqlite3.Error
    | asyncpg.PostgresError
    | asyncpg.InterfaceError
    | asyncpg.InternalClientError
    | PoolTimeout
    | OSError
)
_FAILURES = (
    DBAPIError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    PoolTimeout,
    OSError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what a driver raises into RecordsUnavailable or StorageFull.

    What it is not about the state of the database (a broken constraint, bad SQL) is left as it is.
    """
    try:
        yield
    except _FAILURES as error:
        storage_error = translation(error)
        if storage_error is None:
            raise
        raise storage_error from error


_CONNECTION_ERRORS = (
    OperationalError,
    InterfaceError,
    sqlite3.OperationalError,
    sqlite3.InterfaceError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_AWAY = "the records database does not answer; see STORAGE_RECORDS_URL"


def translation(error: Failure) -> StorageError | None:
    """What the driver's error means while the store is in use; None: a bug of ours."""
    if isinstance(error, PoolTimeout | OSError):  # no connection, or none in time
        return RecordsUnavailable(f"{_AWAY} ({type(error).__name__}: {error})")
    # SQLAlchemy wraps the driver's own; what reads directly raises it bare.
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = _code(cause)
    if _is_full(code):
        return StorageFull(str(cause))
    match code:
        case int():
            is_away = code & _PRIMARY in _SQLITE_AWAY
        case str():
            is_away = code.startswith((*_POSTGRESQL_AWAY, *_POSTGRESQL_WRONG))
        case _:  # raised on this side of the connection, because it is closed or breaks
            is_away = isinstance(error, _CONNECTION_ERRORS)
    return RecordsUnavailable(f"{_AWAY} ({cause})") if is_away else None


def at_open(error: DBAPIError) -> StorageError | None:
    """What the driver's error means while the store is opened."""
    code = _code(error.orig)
    if isinstance(code, int) and (reason := _SQLITE_WRONG.get(code & _PRIMARY)):
        return StoreMisconfigured(f"records cannot be kept here: {reason}")
    if isinstance(code, str) and code.startswith(_POSTGRESQL_WRONG):
        return StoreMisconfigured(f"PostgreSQL refuses: {_first_line(error)}")
    return translation(error)


def _code(cause: BaseException | None) -> int | str | None:
    """SQLite's extended result code, PostgreSQL's SQLSTATE, or None if the server was not asked."""
    for name in ("sqlite_errorcode", "sqlstate"):
        code = getattr(cause, name, None)
        if isinstance(code, int | str):
            return code
    return None


def _is_full(code: int | str | None) -> bool:
    return code in {sqlite3.SQLITE_FULL, _DISK_FULL} or (
        code in _WRITE_FAILED and _file_size_is_limited()
    )


def _file_size_is_limited() -> bool:
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return soft != resource.RLIM_INFINITY


def _first_line(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig is not None else None
    return str(cause or error.orig).partition("\n")[0]
