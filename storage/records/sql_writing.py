"""How a photo becomes visible, changes and goes: the transactions of enrolment and removal.

Locks are always taken in one order, the spaces, the photo's row, its revisions, so that no two
writers wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import AlreadyExists, FaceNotFound, PhotoNotFound, RevisionGone
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId, split_face_id
from storage.records import rules
from storage.records.dialects import listed, lock_writers_out, now
from storage.records.ids import new_revision_id
from storage.records.model import (
    Committed,
    Face,
    FaceIndexed,
    FaceState,
    NewFace,
    Photo,
    Removed,
    Revision,
    RevisionState,
)
from storage.records.rows import REVISION, face_of, face_values, revision_of
from storage.records.sql_queries import (
    IS_SHOWN,
    SqlPart,
    a_shown_face,
    lock_photo,
    names,
    read_revision,
    to_garbage,
)
from storage.records.sql_spaces import destination, note_missed
from storage.records.tables import faces as face_table
from storage.records.tables import photos, revisions

_IS_PENDING = revisions.c.state == RevisionState.PENDING.value
_IS_OPEN = revisions.c.state.in_([state.value for state in rules.OPEN])


class SqlWriting(SqlPart):
    """The methods of a RecordStore that write photos."""

    async def begin(self, photo: PhotoKey, sha256: str, size: int) -> Revision:
        new = insert(revisions).values(
            id=new_revision_id(),
            collection_id=photo.collection_id,
            photo_id=photo.photo_id,
            sha256=sha256,
            bytes=size,
            width=0,
            height=0,
            state=RevisionState.PENDING.value,
            lost=False,
            faces_detected=0,
            faces_indexed=0,
            created_at=now(),
            updated_at=now(),
        )
        async with self._database.write() as connection:
            return revision_of((await connection.execute(new.returning(*REVISION))).one())

    async def commit_live(
        self,
        revision: RevisionId,
        *,
        width: int,
        height: int,
        faces: Sequence[NewFace],
        space: SpaceId,
        also: Collection[SpaceId] = (),
        min_quality: float = 0.0,
        replace: bool = True,
    ) -> Committed:
        async with self._database.write() as connection:
            goes_to = await destination(connection, space, also)
            mine = await _pending(connection, revision)
            live, staged = await lock_photo(connection, mine.photo)
            current = None if live is None else await read_revision(connection, live)
            is_refused = current is not None and not replace
            if is_refused or (
                current and rules.answers_enrolment(current, mine.sha256, goes_to.held, min_quality)
            ):
                await _close_pending(connection, revision)
                committed = None if current is None else Committed(current, created=False)
            else:
                seen = rules.enrolled(revision, faces, goes_to.space, min_quality)
                if rules.indexed(seen):
                    await note_missed(connection, goes_to.missed)
                written = await _finish(
                    connection, revision, RevisionState.LIVE, width, height, seen
                )
                await _make_current(connection, mine.photo, revision, [live, staged])
                committed = Committed(Photo(written, seen), created=True)
        if is_refused or committed is None:  # only now: mine is garbage for good
            raise AlreadyExists(f"{mine.photo} has a live revision")
        return committed

    async def commit_staged(
        self, revision: RevisionId, *, width: int, height: int, faces: Sequence[NewFace]
    ) -> Photo:
        async with self._database.write() as connection:
            mine = await _pending(connection, revision)
            shown = await lock_photo(connection, mine.photo)
            for other in filter(None, shown):
                same = await read_revision(connection, other)
                if same is not None and rules.has_bytes(same.revision, mine.sha256):
                    await _close_pending(connection, revision)
                    return same
            seen = rules.numbered(revision, faces)
            written = await _finish(connection, revision, RevisionState.STAGED, width, height, seen)
            await _close(connection, [shown[1]])
            await connection.execute(
                update(photos).where(names(mine.photo)).values(staged_revision=revision)
            )
            return Photo(written, seen)

    async def index_face(
        self, face_id: FaceId, space: SpaceId, *, also: Collection[SpaceId] = ()
    ) -> FaceIndexed:
        async with self._database.write() as connection:
            goes_to = await destination(connection, space, also)
            revision, face, live = await _locked_face(connection, face_id)
            if revision.state is RevisionState.STAGED:
                await _make_current(connection, revision.photo, revision.id, [live])
            elif face.state is FaceState.INDEXED and face.space_id in goes_to.held:
                return FaceIndexed(face, created=False)
            await note_missed(connection, goes_to.missed)
            row = await connection.execute(
                update(face_table)
                .where(face_table.c.revision == revision.id, face_table.c.n == face.number)
                .values(face_state=FaceState.INDEXED.value, space_id=goes_to.space)
                .returning(*face_table.c)
            )
            was_detected = face.state is FaceState.DETECTED
            await connection.execute(
                update(revisions)
                .where(revisions.c.id == revision.id)
                .values(
                    state=RevisionState.LIVE.value,
                    faces_indexed=revisions.c.faces_indexed + int(was_detected),
                    updated_at=now(),
                )
            )
            return FaceIndexed(face_of(row.one()), created=True)

    async def append_face(self, revision: RevisionId, face: NewFace) -> Face:
        async with self._database.write() as connection:
            # Numbers have no gaps, so the count is the next one; the row's lock keeps it mine.
            counted = await connection.execute(
                update(revisions)
                .where(revisions.c.id == revision, IS_SHOWN)
                .values(faces_detected=revisions.c.faces_detected + 1, updated_at=now())
                .returning(revisions.c.faces_detected)
            )
            count = counted.scalar_one_or_none()
            if count is None:
                raise PhotoNotFound(revision)
            added = Face(revision, count - 1, face, FaceState.DETECTED, None)
            await connection.execute(insert(face_table), face_values([added]))
            return added

    async def discard(self, revision: RevisionId) -> None:
        async with self._database.write() as connection:
            await connection.execute(to_garbage().where(revisions.c.id == revision, _IS_PENDING))

    async def mark_lost(self, revision: RevisionId, *, lost: bool) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                update(revisions)
                .where(revisions.c.id == revision)
                .values(lost=lost, updated_at=now())
            )

    async def remove_photo(self, photo: PhotoKey) -> Removed:
        of_photo = (revisions.c.collection_id == photo.collection_id) & (
            revisions.c.photo_id == photo.photo_id
        )
        async with self._database.write() as connection:
            live, staged = await lock_photo(connection, photo)
            indexed = await connection.scalar(
                select(revisions.c.faces_indexed).where(revisions.c.id == live)
            )
            await connection.execute(to_garbage().where(of_photo, _IS_OPEN))
            await connection.execute(delete(photos).where(names(photo)))
            return Removed(photos=int((live or staged) is not None), faces=indexed or 0)

    async def remove_all(self, collections: frozenset[str] | None) -> Removed:
        photos_go: ColumnElement[bool] = true()
        revisions_go: ColumnElement[bool] = true()
        if collections is not None:
            photos_go = photos.c.collection_id.in_(listed(collections))
            revisions_go = revisions.c.collection_id.in_(listed(collections))
        async with self._database.write(is_long=True) as connection:
            await lock_writers_out(connection, photos)
            counts = await connection.execute(
                select(func.count(), func.coalesce(func.sum(revisions.c.faces_indexed), 0))
                .select_from(
                    photos.outerjoin(revisions, revisions.c.id == photos.c.current_revision)
                )
                .where(photos_go)
            )
            count, indexed = counts.one()
            await connection.execute(to_garbage().where(_IS_OPEN, revisions_go))
            await connection.execute(delete(photos).where(photos_go))
            return Removed(photos=count, faces=indexed)


async def _pending(connection: AsyncConnection, revision: RevisionId) -> Revision:
    rows = await connection.execute(select(*REVISION).where(revisions.c.id == revision))
    row = rows.one_or_none()
    if row is None or row.state != RevisionState.PENDING:
        raise RevisionGone(revision)
    return revision_of(row)


async def _finish(
    connection: AsyncConnection,
    revision: RevisionId,
    state: RevisionState,
    width: int,
    height: int,
    seen: Sequence[Face],
) -> Revision:
    """Write the end of a pending revision. Raises RevisionGone if it was taken away meanwhile."""
    rows = await connection.execute(
        update(revisions)
        .where(revisions.c.id == revision, _IS_PENDING)
        .values(
            state=state.value,
            width=width,
            height=height,
            faces_detected=len(seen),
            faces_indexed=rules.indexed(seen),
            updated_at=now(),
        )
        .returning(*REVISION)
    )
    row = rows.one_or_none()
    if row is None:
        raise RevisionGone(revision)
    if seen:
        await connection.execute(insert(face_table), face_values(seen))
    return revision_of(row)


async def _close_pending(connection: AsyncConnection, revision: RevisionId) -> None:
    closed = await connection.execute(to_garbage().where(revisions.c.id == revision, _IS_PENDING))
    if closed.rowcount == 0:
        raise RevisionGone(revision)


async def _close(connection: AsyncConnection, closing: Sequence[RevisionId | None]) -> None:
    gone = [revision for revision in closing if revision is not None]
    if gone:
        await connection.execute(to_garbage().where(revisions.c.id.in_(gone)))


async def _make_current(
    connection: AsyncConnection,
    photo: PhotoKey,
    revision: RevisionId,
    instead_of: Sequence[RevisionId | None],
) -> None:
    """Let the photo, whose row is locked, be this revision."""
    await _close(connection, instead_of)
    await connection.execute(
        update(photos).where(names(photo)).values(current_revision=revision, staged_revision=None)
    )


async def _locked_face(
    connection: AsyncConnection, face_id: FaceId
) -> tuple[Revision, Face, RevisionId | None]:
    """A face that may be indexed, and what is live now; its photo's row is locked."""
    revision, number = split_face_id(face_id) or (RevisionId(""), 0)
    photo = await connection.execute(
        select(revisions.c.collection_id, revisions.c.photo_id).where(
            revisions.c.id == revision, IS_SHOWN
        )
    )
    if (key := photo.one_or_none()) is None:
        raise FaceNotFound(face_id)
    live, _ = await lock_photo(connection, PhotoKey(key.collection_id, key.photo_id))
    # Read after the lock: whoever held it may have changed the revision.
    found = await connection.execute(a_shown_face(revision, number))
    if (row := found.one_or_none()) is None:
        raise FaceNotFound(face_id)
    return revision_of(row), face_of(row), live
