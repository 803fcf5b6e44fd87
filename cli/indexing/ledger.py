"""What the service has and what this run came to, by photo: ten million rows are no matter."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cli.errors import CommandError

DONE_STATUSES = frozenset({"indexed", "no_faces"})

# Nothing here is worth anything after the run: no journal, and no waiting for a disk.
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE listed (photo_id TEXT PRIMARY KEY, sha256 TEXT, status TEXT) WITHOUT ROWID;
CREATE TABLE met (
    photo_id TEXT PRIMARY KEY,
    is_taken INTEGER NOT NULL DEFAULT 0,
    is_refused_whole INTEGER NOT NULL DEFAULT 0,
    is_held INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""


class Row(Protocol):
    """A photo as the service lists it."""

    @property
    def photo_id(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """What the service had when the run began."""

    sha256: str
    status: str

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, given the same bytes."""
        return self.status in DONE_STATUSES


class Ledger:
    """Rows in a temporary file of SQLite's own: in memory while they are few."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)

    def note_listed(self, row: Row) -> None:
        """The service has this. Raises CommandError if it said so before."""
        try:
            self._database.execute(
                "INSERT INTO listed VALUES (?, ?, ?)", (row.photo_id, row.sha256, row.status)
            )
        except sqlite3.IntegrityError:
            raise _twice(row) from None

    def listed(self, photo_id: str) -> Listed | None:
        """What the service had under this name; None: nothing."""
        found = self._database.execute(
            "SELECT sha256, status FROM listed WHERE photo_id = ?", (photo_id,)
        ).fetchone()
        return None if found is None else Listed(*found)

    def is_first(self, photo_id: str) -> bool:
        """Note that the run met a photo of this name; False if it met one before."""
        inserted = self._database.execute(
            "INSERT OR IGNORE INTO met (photo_id) VALUES (?)", (photo_id,)
        )
        return inserted.rowcount == 1

    def note_taken(self, photo_id: str, *, is_refused_whole: bool) -> None:
        """The service must have the photo from now on. is_refused_whole: without its faces."""
        self._database.execute(
            "UPDATE met SET is_taken = 1, is_refused_whole = ? WHERE photo_id = ?",
            (is_refused_whole, photo_id),
        )

    def note_held(self, row: Row) -> None:
        """The service has this at the end. Raises CommandError if it said so before."""
        # With all its faces refused a photo is as one that was detected only.
        updated = self._database.execute(
            "UPDATE met SET is_held = is_held + 1 "
            "WHERE photo_id = ? AND (? OR (is_refused_whole AND ?)) RETURNING is_held",
            (row.photo_id, row.status in DONE_STATUSES, row.status == "detected"),
        ).fetchone()
        if updated is not None and updated[0] > 1:
            raise _twice(row)

    def missing(self) -> Sequence[str]:
        """Photos that the service took and does not list as it should."""
        rows = self._database.execute(
            "SELECT photo_id FROM met WHERE is_taken AND NOT is_held ORDER BY photo_id"
        )
        return [str(row[0]) for row in rows]

    def close(self) -> None:
        """The file is gone then."""
        self._database.close()


def _twice(row: Row) -> CommandError:
    return CommandError(f"the service lists {row.photo_id!r} twice; please report this")
