"""Rows as lines of JSON, in files of a bounded size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from storage.backups.files import created

Row = Mapping[str, object]

ROWS_A_PART = 10_000


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written."""

    file: Path
    rows: int
    bytes: int
    sha256: str
    """64 hex digits."""


class LinesWriter:
    """Writes rows to `<stem>000000.jsonl`, `<stem>000001.jsonl` and so on. Used by `with`.

    Raises OSError.
    """

    def __init__(self, folder: Path, stem: str = "", rows_a_part: int = ROWS_A_PART) -> None:
        self._folder = folder
        self._stem = stem
        self._rows_a_part = rows_a_part
        self._open = ExitStack()
        self._file: Path | None = None
        self._out: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._rows = 0
        self._bytes = 0
        self.written: list[Written] = []
        """The finished parts; all of them once the block has ended."""

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            out = self._out or self._next()
            line = encoded(row)
            out.write(line)
            self._digest.update(line)
            self._rows += 1
            self._bytes += len(line)
            if self._rows == self._rows_a_part:
                self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._out is not None:
            self._finish()
        else:
            self._open.close()

    def _next(self) -> BinaryIO:
        self._file = self._folder / f"{self._stem}{len(self.written):06d}.jsonl"
        self._out = self._open.enter_context(created(self._file))
        self._digest = hashlib.sha256()
        self._rows = self._bytes = 0
        return self._out

    def _finish(self) -> None:
        self._open.close()
        self._out = None
        if self._file is not None:
            self.written.append(
                Written(self._file, self._rows, self._bytes, self._digest.hexdigest())
            )


def encoded(row: Row) -> bytes:
    """A row as a line. Figures keep every bit."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"


def read_rows(file: Path) -> Iterator[dict[str, object]]:
    """The rows of a part. Raises ValueError for a line that is none, OSError."""
    with file.open("rb") as lines:
        for line in lines:
            row: object = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"{file.name} holds a line that is no row")
            yield row


def pages(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    """The rows, `size` at a time."""
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def text_in(row: Row, name: str) -> str:
    """A field that is text. ValueError if it is not."""
    value = row.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, no text")
    return value


def number_in(row: Row, name: str) -> int:
    """A field that is a whole number. ValueError if it is not."""
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, no whole number")
    return value
