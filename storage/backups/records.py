"""The rows of a base as parts of a backup, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from storage.backups.files import make_folder, translated
from storage.backups.folder import BackupFolder
from storage.backups.lines import LinesWriter, Row, Written, number_in, pages, read_rows, text_in
from storage.backups.manifest import Manifest, Part, TableParts, table_of
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId, face_id_of
from storage.records.model import FaceState, SpaceState
from storage.records.tables import revisions
from storage.records.transfer import TABLES, check_columns, importing, snapshot

RECORDS = "records"
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class RecordsTaken:
    """The records as they were at one moment, written down."""

    moment: datetime
    schema_version: str
    tables: tuple[TableParts, ...]


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A revision whose bytes belong to the backup."""

    revision: RevisionId
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class KeptSpace:
    """An embedding space of the base."""

    id: SpaceId
    pack: str
    version: str
    dim: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class IndexedFace:
    """A face that has a vector."""

    face_id: FaceId
    photo: PhotoKey


async def take_records(
    url: str | URL, folder: BackupFolder, parts: Path, *, timeout_seconds: float
) -> RecordsTaken:
    """Write all rows below `parts`, as they are at one moment.

    Raises RecordsUnavailable, StorageFull, FolderRefused.
    """
    where = parts / RECORDS
    tables = []
    with translated(folder.path):
        make_folder(where)
        async with snapshot(url, timeout_seconds=timeout_seconds) as rows:
            for table in TABLES:
                with LinesWriter(where, f"{table.name}-") as lines:
                    async for page in rows.rows(table):
                        await asyncio.to_thread(lines.add, page)
                written = tuple(part_of(folder, each) for each in lines.written)
                tables.append(TableParts(name=table.name, parts=written))
    return RecordsTaken(rows.moment, rows.schema_version, tuple(tables))


def part_of(folder: BackupFolder, written: Written) -> Part:
    """A file of the folder as the manifest names it."""
    return Part(
        path=written.file.relative_to(folder.path).as_posix(),
        rows=written.rows,
        bytes=written.bytes,
        sha256=written.sha256,
    )


async def give_records(
    folder: BackupFolder, manifest: Manifest, url: str | URL, *, timeout_seconds: float
) -> None:
    """Fill an empty base with all rows, in one transaction.

    Photos that were lost already when the backup was taken are noted as lost. Raises NotEmpty,
    RowsRefused, RecordsUnavailable, StorageFull.
    """
    lost = frozenset(manifest.photos.lost)
    async with importing(url, timeout_seconds=timeout_seconds) as base:
        for table in TABLES:
            for page in pages(rows_of(folder, table_of(manifest.tables, table.name)), _PAGE):
                rows = _noted_as_lost(page, lost) if table is revisions else page
                await base.insert(table, rows)


def _noted_as_lost(rows: Sequence[Row], lost: frozenset[str]) -> Sequence[Row]:
    return [{**row, "lost": True} if row["id"] in lost else row for row in rows]


def check_fits(folder: BackupFolder, manifest: Manifest) -> None:
    """Raises RowsRefused if the tables of this version have no place for these rows."""
    for table in manifest.tables:
        for row in rows_of(folder, table):
            check_columns(table.name, row)
            break


def rows_of(folder: BackupFolder, table: TableParts) -> Iterator[dict[str, object]]:
    """The rows of a table. Raises ValueError, OSError."""
    for part in table.parts:
        yield from read_rows(folder.path / part.path)


def kept_photos(folder: BackupFolder, tables: Sequence[TableParts]) -> Iterator[KeptPhoto]:
    """Every revision, by id."""
    for row in rows_of(folder, table_of(tables, "revisions")):
        yield KeptPhoto(
            RevisionId(text_in(row, "id")), text_in(row, "sha256"), number_in(row, "bytes")
        )


def indexed_faces(folder: BackupFolder, tables: Sequence[TableParts]) -> Iterator[IndexedFace]:
    """Every face in the index, by revision and number."""
    # Both are in the order of the revision, so each is read once and none of it is kept.
    owners = (
        (text_in(row, "id"), _photo_of(row))
        for row in rows_of(folder, table_of(tables, "revisions"))
    )
    owner, photo = "", PhotoKey("", "")
    for row in rows_of(folder, table_of(tables, "faces")):
        if row["face_state"] != FaceState.INDEXED.value:
            continue
        revision = text_in(row, "revision")
        while owner != revision:
            owner, photo = next(owners)
        yield IndexedFace(face_id_of(RevisionId(revision), number_in(row, "n")), photo)


def _photo_of(row: Row) -> PhotoKey:
    return PhotoKey(text_in(row, "collection_id"), text_in(row, "photo_id"))


def kept_spaces(folder: BackupFolder, tables: Sequence[TableParts]) -> Sequence[KeptSpace]:
    """Every embedding space, by id."""
    spaces: list[KeptSpace] = []
    has_active = False
    for row in rows_of(folder, table_of(tables, "spaces")):
        # Two edges on their very first photo may each have made one: the first by id is it.
        is_active = row["state"] == SpaceState.ACTIVE.value and not has_active
        has_active = has_active or is_active
        spaces.append(
            KeptSpace(
                id=SpaceId(text_in(row, "id")),
                pack=text_in(row, "pack"),
                version=text_in(row, "version"),
                dim=number_in(row, "dim"),
                is_active=is_active,
            )
        )
    return spaces
