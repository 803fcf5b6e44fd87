"""The one look-up of every search: which faces it may show, and where they are on their photos."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Dialect, Integer, Select, Text, bindparam, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.identity import FaceId, RevisionId, SpaceId, face_id_of
from storage.records.dialects import items
from storage.records.model import Box, FaceState, RevisionState
from storage.records.sql_spaces import is_in_space
from storage.records.tables import faces, revisions

VisibleRow = tuple[str, int, float, float, float, float]
"""Revision, number, and the box: x, y, width, height."""

WANTED, SPACE = "wanted", "space"


def _visible() -> Select[str, int, float, float, float, float]:
    # A face id is "f_", 26 characters of revision, "_" and the number. Every id leads to its rows
    # by two primary keys. No join: SQLite would begin it at all the live revisions.
    ids = select(items(bindparam(WANTED, type_=Text()))).subquery()
    keys = select(func.substr(ids.c.value, 3, 26), cast(func.substr(ids.c.value, 30), Integer))
    state = select(revisions.c.state).where(revisions.c.id == faces.c.revision).scalar_subquery()
    columns = (faces.c.x, faces.c.y, faces.c.box_width, faces.c.box_height)
    return select(faces.c.revision, faces.c.n, *columns).where(
        tuple_(faces.c.revision, faces.c.n).in_(keys),
        faces.c.face_state == FaceState.INDEXED.value,
        is_in_space(bindparam(SPACE, type_=Text())),
        state == RevisionState.LIVE.value,
    )


VISIBLE = _visible()
"""Takes WANTED, face ids of ours as a JSON array, and SPACE. Returns VisibleRows."""


@dataclass(frozen=True, slots=True)
class CompiledVisible:
    """VISIBLE as a driver takes it."""

    sql: str
    constants: Mapping[str, Any]
    order: Sequence[str]
    """Of the values, by name."""

    def values(self, space: SpaceId, wanted: str) -> list[Any]:
        """In their order. wanted: face ids of ours as a JSON array."""
        named = {**self.constants, WANTED: wanted, SPACE: space}
        return [named[name] for name in self.order]


def compiled_visible(dialect: Dialect) -> CompiledVisible:
    """For drivers that take values by their place."""
    compiled = VISIBLE.compile(dialect=dialect)
    return CompiledVisible(str(compiled), compiled.params, tuple(compiled.positiontup or ()))


class VisibleFaces(Protocol):
    """RecordStore.visible, for ids that are ours."""

    async def __call__(self, space: SpaceId, faces: Sequence[FaceId]) -> Mapping[FaceId, Box]: ...

    async def close(self) -> None: ...


class PooledVisible:
    """By a connection of the engine's pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, space: SpaceId, faces: Sequence[FaceId]) -> Mapping[FaceId, Box]:
        async with self._engine.connect() as connection:
            rows = await connection.execute(VISIBLE, {WANTED: json.dumps(faces), SPACE: space})
            return dict(box_by_face(row) for row in rows)

    async def close(self) -> None:
        """The engine is closed by whoever made it."""


def box_by_face(row: VisibleRow) -> tuple[FaceId, Box]:
    """A row of VISIBLE."""
    revision, number, x, y, width, height = row
    return face_id_of(RevisionId(revision), number), Box(x, y, width, height)
