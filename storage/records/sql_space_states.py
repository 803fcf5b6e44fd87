"""Spaces in SQL: which there are, which is searched, which is being filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Update, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import SpaceInUse
from storage.identity import RevisionId, SpaceId
from storage.records.dialects import insert_into, lock_writers_out
from storage.records.model import Space, SpaceState
from storage.records.rows import AnyRow, space_of
from storage.records.sql_queries import SqlPart
from storage.records.tables import faces, space_covers
from storage.records.tables import spaces as space_table

_ACTIVE, _FILLING, _RETIRED = (
    state.value for state in (SpaceState.ACTIVE, SpaceState.FILLING, SpaceState.RETIRED)
)
# Faces that are renamed in one transaction: short enough to hold no enrolment up.
_RENAMED_AT_ONCE = 5_000


class SqlSpaces(SqlPart):
    """The methods of a RecordStore about spaces."""

    async def add_space(self, space: Space) -> Space:
        async with self._database.write() as connection:
            await _insert(connection, space)
            return _named(await _all(connection), space.id)

    async def spaces(self) -> Sequence[Space]:
        async with self._database.read() as connection:
            return await _all(connection)

    async def set_space_state(self, space: SpaceId, state: SpaceState) -> None:
        async with self._database.write() as connection:
            await lock_writers_out(connection, space_table)
            changed = await connection.execute(_set(space, state=state.value))
            if changed.rowcount and state is SpaceState.ACTIVE:
                await _retire_others(connection, space)

    async def begin_filling(self, space: Space, target: str | None) -> Space:
        async with self._database.write() as connection:
            await lock_writers_out(connection, space_table)
            await _insert(connection, replace(space, state=SpaceState.FILLING))
            known = await _all(connection)
            if _named(known, space.id).state is SpaceState.ACTIVE:
                raise SpaceInUse(f"{space.id} (pack {space.pack}) is what is searched already")
            for other in known:
                if other.state is SpaceState.FILLING and other.id != space.id:
                    raise SpaceInUse(f"{other.id} (pack {other.pack}) is being filled")
            await connection.execute(_set(space.id, state=_FILLING, target=target))
            return _named(await _all(connection), space.id)

    async def activate_filled(self, space: SpaceId, *, behind: int) -> bool:
        async with self._database.write() as connection:
            await lock_writers_out(connection, space_table)
            known = await _all(connection)
            if not any(
                s.id == space and s.state is SpaceState.FILLING and s.behind == behind
                for s in known
            ):
                return False
            covered = {
                each
                for former in known
                if former.state is SpaceState.ACTIVE
                for each in (former.id, *former.covers)
            } - {space}
            for each in sorted(covered):
                new = insert_into(connection, space_covers).values(space=space, covered=each)
                await connection.execute(new.on_conflict_do_nothing())
            await connection.execute(_set(space, state=_ACTIVE))
            await _retire_others(connection, space)
            return True

    async def set_space_target(self, space: SpaceId, target: str | None) -> None:
        async with self._database.write() as connection:
            await connection.execute(_set(space, target=target))

    async def forget_space(self, space: SpaceId) -> None:
        async with self._database.read() as connection:
            known = await _all(connection)
        active = next((s for s in known if s.state is SpaceState.ACTIVE), None)
        if active is not None and active.id == space:
            raise SpaceInUse(f"{space} (pack {active.pack}) is what is searched")
        if active is not None and active.holds(space):
            await self._rename_faces(space, active.id)
        async with self._database.write() as connection:
            await lock_writers_out(connection, space_table)
            state = select(space_table.c.state).where(space_table.c.id == space)
            if (await connection.execute(state)).scalar() == _ACTIVE:
                raise SpaceInUse(f"{space} is what is searched")
            of_it = (space_covers.c.space == space) | (space_covers.c.covered == space)
            await connection.execute(delete(space_covers).where(of_it))
            await connection.execute(delete(space_table).where(space_table.c.id == space))

    async def _rename_faces(self, former: SpaceId, present: SpaceId) -> None:
        """Let faces say the space that covers theirs: both mean the same."""
        after = RevisionId("")
        while True:
            async with self._database.write() as connection:
                revisions = (
                    select(faces.c.revision)
                    .where(faces.c.revision > after)
                    .order_by(faces.c.revision)
                    .limit(_RENAMED_AT_ONCE)
                    .subquery()
                )
                last = await connection.scalar(select(func.max(revisions.c.revision)))
                if last is None:
                    return
                await connection.execute(
                    update(faces)
                    .where(
                        faces.c.revision > after,
                        faces.c.revision <= last,
                        faces.c.space_id == former,
                    )
                    .values(space_id=present)
                )
            after = last


async def _all(connection: AsyncConnection) -> list[Space]:
    # One SELECT, so that it is true at one moment.
    rows = await connection.execute(
        select(space_table, space_covers.c.covered)
        .select_from(space_table.outerjoin(space_covers, space_covers.c.space == space_table.c.id))
        .order_by(space_table.c.id)
    )
    of_space = groupby(rows, key=attrgetter("id"))
    return [_space(list(group)) for _, group in of_space]


def _space(rows: Sequence[AnyRow]) -> Space:
    return space_of(rows[0], (row.covered for row in rows if row.covered is not None))


def _named(known: Sequence[Space], space: SpaceId) -> Space:
    return next(each for each in known if each.id == space)


async def _insert(connection: AsyncConnection, space: Space) -> None:
    new = insert_into(connection, space_table).values(
        id=space.id,
        pack=space.pack,
        version=space.version,
        dim=space.dim,
        state=space.state.value,
    )
    await connection.execute(new.on_conflict_do_nothing())


def _set(space: SpaceId, **values: str | None) -> Update:
    return update(space_table).where(space_table.c.id == space).values(**values)


async def _retire_others(connection: AsyncConnection, space: SpaceId) -> None:
    await connection.execute(
        update(space_table)
        .where(space_table.c.state == _ACTIVE, space_table.c.id != space)
        .values(state=_RETIRED)
    )
