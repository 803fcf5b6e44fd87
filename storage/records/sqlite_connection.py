"""SQLite connections that let go of everything when they are closed."""

from __future__ import annotations

import sqlite3
from functools import cached_property
from weakref import WeakSet


class LettingGo(sqlite3.Connection):
    """A connection whose statements end with it.

    SQLite keeps a connection, and what it has locked, for as long as one of its statements has rows
    to give (https://sqlite.org/c3ref/close.html, on "zombies"). A caller that is cancelled between
    a statement and its rows leaves such a cursor in the traceback of its cancellation. Until that
    was collected, nobody could write.
    """

    @cached_property
    def _cursors(self) -> WeakSet[sqlite3.Cursor]:
        return WeakSet()

    def cursor(self) -> sqlite3.Cursor:  # type: ignore[override]  # nobody asks for other kinds
        """A cursor, which ends with the connection."""
        cursor = super().cursor()
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """End what is under way, and with it the transaction; then close. Safe to call twice."""
        for cursor in list(self._cursors):
            cursor.close()
        super().close()
