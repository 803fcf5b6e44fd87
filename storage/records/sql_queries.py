"""What several of the SQL store's methods ask or do inside a transaction of theirs."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, Update, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity import PhotoKey, RevisionId
from storage.records.database import Database
from storage.records.dialects import insert_into, now
from storage.records.model import Photo, RevisionState
from storage.records.rows import FACE, REVISION, photo_of
from storage.records.rules import SHOWN
from storage.records.tables import faces, photos, revisions

IS_SHOWN = revisions.c.state.in_([state.value for state in SHOWN])


class SqlPart:
    """One part of the SQL store; all parts share the database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def names(photo: PhotoKey) -> ColumnElement[bool]:
    """The row of this photo in `photos`."""
    return (photos.c.collection_id == photo.collection_id) & (photos.c.photo_id == photo.photo_id)


def with_faces(condition: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    """One revision and its faces, in order."""
    return (
        select(*REVISION, *FACE)
        .select_from(revisions.outerjoin(faces, faces.c.revision == revisions.c.id))
        .where(condition)
        .order_by(faces.c.n)
    )


def a_shown_face(revision: RevisionId, number: int) -> Select[tuple[object, ...]]:
    """A face of a live or staged revision, with that revision."""
    return (
        select(*REVISION, *FACE)
        .select_from(revisions.join(faces, faces.c.revision == revisions.c.id))
        .where(faces.c.revision == revision, faces.c.n == number, IS_SHOWN)
    )


async def read_revision(connection: AsyncConnection, revision: str) -> Photo | None:
    """A revision in any state, with its faces."""
    rows = await connection.execute(with_faces(revisions.c.id == revision))
    return photo_of(rows.all())


async def lock_photo(
    connection: AsyncConnection, photo: PhotoKey
) -> tuple[RevisionId | None, RevisionId | None]:
    """The photo's live and staged revision; nobody else changes them until the transaction ends.

    A row is made for a photo that has none: two first writers meet at it too. Whoever locks it
    leaves it with a revision or deletes it.
    """
    insert = insert_into(connection, photos).values(
        collection_id=photo.collection_id, photo_id=photo.photo_id
    )
    locked = insert.on_conflict_do_update(
        index_elements=[photos.c.collection_id, photos.c.photo_id],
        set_={"current_revision": photos.c.current_revision},
    ).returning(photos.c.current_revision, photos.c.staged_revision)
    row = (await connection.execute(locked)).one()
    return row.current_revision, row.staged_revision


def to_garbage() -> Update:
    """Revisions that a WHERE will name become garbage."""
    return update(revisions).values(state=RevisionState.GARBAGE.value, updated_at=now())


def after_in_order(photo: PhotoKey) -> ColumnElement[bool]:
    """Photos that come later in a listing. The first comparison is for the index."""
    key = tuple_(photos.c.photo_id, photos.c.collection_id)
    return (photos.c.photo_id >= photo.photo_id) & (
        key > tuple_(photo.photo_id, photo.collection_id)
    )
