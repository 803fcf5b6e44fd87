"""What a backup holds, file by file: the page that makes a folder of files a backup."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storage.backups.errors import NoBackup

FORMAT: Final = 1
"""Raised with any change that an older version could not read rightly."""

_SHA256 = Field(pattern=r"^[0-9a-f]{64}$")
# No dots but before the ending: a manifest must not lead out of the folder.
_PART = Field(pattern=r"^parts/[0-9a-z]{26}/[A-Za-z0-9_/-]+\.(jsonl|npy)$")
_Count = Annotated[int, Field(ge=0)]


class _Page(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Page):
    """A file of rows or of vectors."""

    path: Annotated[str, _PART]
    """Within the folder of the backup."""
    rows: _Count
    bytes: _Count
    sha256: Annotated[str, _SHA256]


class TableParts(_Page):
    """All rows of a table of the records."""

    name: str
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def table_of(tables: Sequence[TableParts], name: str) -> TableParts:
    """The table of that name; without rows if it is not there."""
    return next((table for table in tables if table.name == name), TableParts(name=name, parts=()))


class VectorPart(_Page):
    """Some vectors of a space: a row of `vectors` for each line of `faces`."""

    faces: Part
    vectors: Part


class SpaceVectors(_Page):
    """The vectors of an embedding space."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")]
    pack: str
    version: str
    dim: Annotated[int, Field(ge=1)]
    is_active: bool
    parts: tuple[VectorPart, ...]
    missing: _Count = 0
    """Indexed faces of which the base had no vector in this space, though it is the active one."""

    @property
    def faces(self) -> int:
        return sum(part.faces.rows for part in self.parts)


class Photos(_Page):
    """The photos' bytes, each under `photos/` at the place that its revision says."""

    count: _Count
    bytes: _Count
    lost: tuple[str, ...] = ()
    """Revisions of which the base itself had no bytes any more, or other bytes than it knew."""


class Manifest(_Page):
    """Everything that belongs to the backup. What else lies in the folder does not."""

    format: Literal[1] = FORMAT
    facesearch: str
    """The version that wrote it."""
    schema_version: str
    """Of the database's tables, as the migrations count."""
    id: Annotated[str, Field(pattern=r"^[0-9a-z]{26}$")]
    taken_at: datetime
    """The moment whose state it is, by the clock of the database."""
    indexed_faces: _Count
    tables: tuple[TableParts, ...]
    spaces: tuple[SpaceVectors, ...]
    photos: Photos

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every file but the photos."""
        of_spaces = [
            part
            for space in self.spaces
            for both in space.parts
            for part in (both.faces, both.vectors)
        ]
        return (*(part for table in self.tables for part in table.parts), *of_spaces)

    def encoded(self) -> bytes:
        """As the file holds it, with its own digest."""
        content = self.model_dump(mode="json")
        return (_text(content | {"sha256": _digest(content)}) + "\n").encode()

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        """From the content of the file. Raises NoBackup, one line that says why."""
        try:
            content: object = json.loads(data)
        except ValueError as error:
            raise NoBackup(f"manifest.json is damaged: {error}") from error
        if not isinstance(content, dict):
            raise NoBackup("manifest.json is damaged: it is no object")
        if content.get("format") != FORMAT:
            raise NoBackup(
                f"the backup is of format {content.get('format')}, and this version of facesearch "
                f"reads format {FORMAT}: use the version that wrote it, or a newer one"
            )
        said = content.pop("sha256", None)
        if said != _digest(content):
            raise NoBackup("manifest.json is damaged: its digest is not that of its content")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise NoBackup(f"manifest.json cannot be read: {place}: {first['msg']}") from error


def _text(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)


def _digest(content: object) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()
