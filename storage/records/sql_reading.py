"""What the records say. Each method is one SELECT, so what it returns was true at one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby

from sqlalchemy import ColumnElement, func, select, tuple_

from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId, split_face_id
from storage.records.dialects import listed
from storage.records.model import (
    Box,
    Face,
    FaceState,
    Page,
    Photo,
    PhotoFilter,
    PhotoStatus,
    Revision,
    RevisionState,
)
from storage.records.rows import FACE, REVISION, face_of, photo_of, revision_of, summary_of
from storage.records.rules import SHOWN
from storage.records.sql_queries import (
    SqlPart,
    a_shown_face,
    after_in_order,
    names,
    read_revision,
    with_faces,
)
from storage.records.sql_spaces import is_in_space
from storage.records.tables import faces, photos, revisions

_PAGE = 1000

_SHOWN_REVISION = func.coalesce(photos.c.current_revision, photos.c.staged_revision)
_IS_LIVE = revisions.c.state == RevisionState.LIVE.value
_HAS_STATUS: dict[PhotoStatus, ColumnElement[bool]] = {
    PhotoStatus.FAILED: revisions.c.lost,
    PhotoStatus.INDEXED: ~revisions.c.lost & (revisions.c.faces_indexed > 0),
    PhotoStatus.DETECTED: ~revisions.c.lost
    & (revisions.c.faces_indexed == 0)
    & (revisions.c.faces_detected > 0),
    PhotoStatus.NO_FACES: ~revisions.c.lost & (revisions.c.faces_detected == 0),
}


class SqlReading(SqlPart):
    """The methods of a RecordStore that read photos."""

    async def photo(self, photo: PhotoKey) -> Photo | None:
        shown = select(_SHOWN_REVISION).where(names(photo)).scalar_subquery()
        return await self._one(revisions.c.id == shown)

    async def staged(self, photo: PhotoKey) -> Photo | None:
        staged = select(photos.c.staged_revision).where(names(photo)).scalar_subquery()
        return await self._one(revisions.c.id == staged)

    async def live_photos(self, photos_: Sequence[PhotoKey]) -> Sequence[Photo]:
        # Two lists and not one of pairs, which both engines could read: what is found besides
        # (the same photo_id in another of the collections) is left out below.
        wanted = set(photos_)
        live = (
            select(*REVISION, *FACE)
            .select_from(
                photos.join(revisions, revisions.c.id == photos.c.current_revision).outerjoin(
                    faces, faces.c.revision == revisions.c.id
                )
            )
            .where(
                photos.c.photo_id.in_(listed({photo.photo_id for photo in wanted})),
                photos.c.collection_id.in_(listed({photo.collection_id for photo in wanted})),
            )
            .order_by(revisions.c.id, faces.c.n)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(live)).all()
        found = [photo_of(list(group)) for _, group in groupby(rows, key=lambda row: row.id)]
        return [photo for photo in found if photo is not None and photo.revision.photo in wanted]

    async def same_bytes(self, photo: PhotoKey, sha256: str) -> Photo | None:
        live = select(photos.c.current_revision).where(names(photo)).scalar_subquery()
        staged = select(photos.c.staged_revision).where(names(photo)).scalar_subquery()
        # Both can have them only if the live one's were lost, and that one is not asked for.
        return await self._one(
            revisions.c.id.in_([live, staged]) & (revisions.c.sha256 == sha256) & ~revisions.c.lost
        )

    async def keys_of(self, photo_id: str) -> Sequence[PhotoKey]:
        wanted = (
            select(photos.c.collection_id)
            .where(photos.c.photo_id == photo_id)
            .order_by(photos.c.collection_id)
        )
        async with self._database.read() as connection:
            collections = (await connection.execute(wanted)).scalars()
            return [PhotoKey(collection, photo_id) for collection in collections]

    async def face(self, face_id: FaceId) -> tuple[Revision, Face] | None:
        parts = split_face_id(face_id)
        if parts is None:
            return None
        async with self._database.read() as connection:
            row = (await connection.execute(a_shown_face(*parts))).one_or_none()
        return None if row is None else (revision_of(row), face_of(row))

    async def revision(self, revision: RevisionId) -> Photo | None:
        async with self._database.read() as connection:
            return await read_revision(connection, revision)

    async def visible(self, space: SpaceId, faces: Sequence[FaceId]) -> Mapping[FaceId, Box]:
        wanted = [face_id for face_id in faces if split_face_id(face_id) is not None]
        return await self._database.visible(space, wanted) if wanted else {}

    async def list_photos(self, which: PhotoFilter, *, after: PhotoKey | None, limit: int) -> Page:
        page = (
            select(*REVISION)
            .select_from(photos.join(revisions, revisions.c.id == _SHOWN_REVISION))
            .where(*_conditions(which), *([] if after is None else [after_in_order(after)]))
            .order_by(photos.c.photo_id, photos.c.collection_id)
            .limit(limit + 1)
        )
        async with self._database.read() as connection:
            lines = [summary_of(row) for row in await connection.execute(page)]
        items = tuple(lines[:limit])
        return Page(items, items[-1].photo if len(lines) > limit else None)

    async def count_photos(self, which: PhotoFilter) -> int:
        count = select(func.count()).select_from(photos).where(*_conditions(which))
        if which.status is not None:
            count = count.where(revisions.c.id == _SHOWN_REVISION)
        async with self._database.read() as connection:
            return (await connection.execute(count)).scalar_one()

    async def indexed_faces(self, space: SpaceId) -> AsyncIterator[Sequence[tuple[Revision, Face]]]:
        key = (revisions.c.id, faces.c.n)
        every = (
            select(*REVISION, *FACE)
            .select_from(faces.join(revisions, revisions.c.id == faces.c.revision))
            .where(_is_searchable(space))
            .order_by(*key)
            .limit(_PAGE)
        )
        page = every
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(page)).all()
            found = [(revision_of(row), face_of(row)) for row in rows]
            if found:
                yield found
            if len(found) < _PAGE:
                return
            _, last = found[-1]
            page = every.where(
                revisions.c.id >= last.revision, tuple_(*key) > tuple_(last.revision, last.number)
            )

    async def live_revisions(self) -> AsyncIterator[Sequence[Revision]]:
        # Not `IS_SHOWN`: SQLite would collect and sort all that are, for each page.
        is_shown = revisions.c.state.not_in([s.value for s in RevisionState if s not in SHOWN])
        every = select(*REVISION).where(is_shown).order_by(revisions.c.id).limit(_PAGE)
        page = every
        while True:
            async with self._database.read() as connection:
                found = [revision_of(row) for row in await connection.execute(page)]
            if found:
                yield found
            if len(found) < _PAGE:
                return
            page = every.where(revisions.c.id > found[-1].id)

    async def _one(self, condition: ColumnElement[bool]) -> Photo | None:
        async with self._database.read() as connection:
            return photo_of((await connection.execute(with_faces(condition))).all())


def _is_searchable(space: SpaceId) -> ColumnElement[bool]:
    return _IS_LIVE & (faces.c.face_state == FaceState.INDEXED.value) & is_in_space(space)


def _conditions(which: PhotoFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    match which.collections:
        case None:
            pass
        case frozenset() as one if len(one) == 1:  # in the order of the primary key
            conditions.append(photos.c.collection_id == next(iter(one)))
        case several:
            conditions.append(photos.c.collection_id.in_(listed(several)))
    if which.photo_id is not None:
        conditions.append(photos.c.photo_id == which.photo_id)
    if which.status is not None:
        conditions.append(_HAS_STATUS[which.status])
    return conditions
