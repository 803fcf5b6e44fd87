"""Digests of objects that were read before, kept between runs: what need not be read again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

from cli.console import note

_TABLE = """
CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 TEXT NOT NULL)
WITHOUT ROWID
"""
_KEEP = """
INSERT INTO objects VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET stamp = excluded.stamp, sha256 = excluded.sha256
"""
_SHOWN_HASH = 12


class Digests:
    """What the bytes of an object hash to, as long as its stamp is the same.

    These are facts about a bucket, whatever was done with its photos: they are compared with what
    a service says it has. To lose them costs reading the objects once more; so whatever is wrong
    with the file is said once, and the work goes on without it.
    """

    def __init__(self, path: Path, prefix: str) -> None:
        """path: a file for each bucket. prefix: what the keys here leave out."""
        self._path = path
        self._prefix = f"{prefix}/" if prefix else ""
        self._database: sqlite3.Connection | None = None
        self._open()

    def sha256(self, key: str, stamp: str) -> str | None:
        """The digest of the object, if it was read with this stamp."""
        if self._database is None or not stamp:
            return None
        try:
            row = self._database.execute(
                "SELECT sha256 FROM objects WHERE key = ? AND stamp = ?",
                (self._prefix + key, stamp),
            ).fetchone()
        except sqlite3.Error as error:
            self._give_up(error)
            return None
        return None if row is None else str(row[0])

    def keep(self, key: str, stamp: str, sha256: str) -> None:
        """Note the digest of bytes that were read with this stamp."""
        if self._database is None or not stamp:
            return
        try:
            self._database.execute(_KEEP, (self._prefix + key, stamp, sha256))
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Safe to call twice."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> None:
        try:
            # It holds the names of photos.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Each digest is there at once, also for a run that is killed the next moment.
            self._database = sqlite3.connect(self._path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        note(
            f"{self._path} cannot be used ({error}): the next run reads every object again. "
            "The file may be removed."
        )
        self.close()


def digests_file(endpoint: str, bucket: str) -> Path | None:
    """Where the digests of this bucket are kept; None: this user has no home.

    The bucket of that name at another endpoint is another bucket.
    """
    # An empty or relative XDG_CACHE_HOME counts as unset (XDG Base Directory 0.8).
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None  # as in some containers
    place = hashlib.sha256(f"{endpoint}\n{bucket}".encode()).hexdigest()[:_SHOWN_HASH]
    return base / "facesearch" / "buckets" / f"{bucket}-{place}.sqlite"
