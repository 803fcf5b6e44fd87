"""What the sweep asks for: which rows are of no use any more, and to forget them.

Nothing here waits for a row that somebody works on: it is left for the next time.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, literal, select, update

from storage.identity import RevisionId
from storage.records.dialects import in_seconds, listed
from storage.records.model import RevisionState
from storage.records.sql_queries import SqlPart, to_garbage
from storage.records.tables import photos, revisions

_IS_GARBAGE = revisions.c.state == RevisionState.GARBAGE.value
_IS_PENDING = revisions.c.state == RevisionState.PENDING.value


class SqlCollecting(SqlPart):
    """The methods of a RecordStore that collect garbage."""

    async def expire(self, *, pending_seconds: float, staged_seconds: float) -> int:
        return await self._expire_pending(pending_seconds) + await self._expire_staged(
            staged_seconds
        )

    async def garbage(self, limit: int) -> Sequence[RevisionId]:
        oldest = select(revisions.c.id).where(_IS_GARBAGE).order_by(revisions.c.id).limit(limit)
        async with self._database.read() as connection:
            return [RevisionId(found) for found in (await connection.execute(oldest)).scalars()]

    async def forget(self, revisions_: Sequence[RevisionId]) -> None:
        if not revisions_:
            return
        mine = (
            select(revisions.c.id)
            .where(revisions.c.id.in_(listed(revisions_)), _IS_GARBAGE)
            .with_for_update(skip_locked=True)
        )
        async with self._database.write(is_long=True) as connection:
            await connection.execute(delete(revisions).where(revisions.c.id.in_(mine)))

    async def unknown(self, revisions_: Sequence[RevisionId]) -> Sequence[RevisionId]:
        if not revisions_:
            return []
        named = select(revisions.c.id).where(revisions.c.id.in_(listed(revisions_)))
        async with self._database.read() as connection:
            known = set((await connection.execute(named)).scalars())
        return [revision for revision in revisions_ if revision not in known]

    async def _expire_pending(self, seconds: float) -> int:
        old = (
            select(revisions.c.id)
            .where(_IS_PENDING, revisions.c.created_at <= in_seconds(literal(-seconds)))
            .with_for_update(skip_locked=True)
        )
        async with self._database.write(is_long=True) as connection:
            closed = await connection.execute(
                to_garbage().where(revisions.c.id.in_(old), _IS_PENDING)
            )
            return closed.rowcount

    async def _expire_staged(self, seconds: float) -> int:
        is_all_that_is_known = (
            photos.c.current_revision.is_(None)
            & (revisions.c.faces_detected == 0)
            & ~revisions.c.lost
        )
        old = (
            select(photos.c.staged_revision)
            .select_from(photos.join(revisions, revisions.c.id == photos.c.staged_revision))
            .where(
                revisions.c.state == RevisionState.STAGED.value,
                revisions.c.updated_at <= in_seconds(literal(-seconds)),
                ~is_all_that_is_known,
            )
            .with_for_update(of=photos, skip_locked=True)
        )
        async with self._database.write(is_long=True) as connection:
            closing = (await connection.execute(old)).scalars().all()
            if not closing:
                return 0
            is_closing = photos.c.staged_revision.in_(listed(closing))
            await connection.execute(to_garbage().where(revisions.c.id.in_(listed(closing))))
            await connection.execute(
                delete(photos).where(is_closing, photos.c.current_revision.is_(None))
            )
            await connection.execute(update(photos).where(is_closing).values(staged_revision=None))
            return len(closing)
