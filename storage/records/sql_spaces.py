"""Which space a face is in, and where new ones go: inside the transactions of enrolment."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.identity import SpaceId
from storage.records.dialects import hold_writers_off
from storage.records.model import SpaceState
from storage.records.space_rules import Destination, choose_space, missed_spaces
from storage.records.tables import faces, space_covers
from storage.records.tables import spaces as space_table


def is_in_space(space: ColumnElement[str] | SpaceId) -> ColumnElement[bool]:
    """Whether a row of `faces` is in the space: indexed there, or in one that it covers."""
    covered = select(space_covers.c.covered).where(space_covers.c.space == space)
    return or_(faces.c.space_id == space, faces.c.space_id.in_(covered))


async def destination(
    connection: AsyncConnection, space: SpaceId, also: Collection[SpaceId]
) -> Destination:
    """Where to index faces with vectors in `space` and in `also`: the active one of these.

    No space changes its state until the transaction ends. Raises EmbeddingSpaceMismatch if they
    are in none that is searched any more.
    """
    await hold_writers_off(connection, space_table)
    rows = await connection.execute(
        select(space_table.c.id, space_table.c.state, space_covers.c.covered).select_from(
            space_table.outerjoin(space_covers, space_covers.c.space == space_table.c.id)
        )
    )
    states: dict[SpaceId, SpaceState] = {}
    covers: dict[SpaceId, set[SpaceId]] = {}
    for row in rows:
        states[row.id] = SpaceState(row.state)
        if row.covered is not None:
            covers.setdefault(row.id, set()).add(row.covered)
    chosen = choose_space(states, space, also)
    missed = missed_spaces(states, space, also)
    return Destination(chosen, frozenset({chosen, *covers.get(chosen, ())}), missed)


async def note_missed(connection: AsyncConnection, missed: Collection[SpaceId]) -> None:
    """Count that faces were indexed which these spaces do not have."""
    if missed:
        await connection.execute(
            update(space_table)
            .where(space_table.c.id.in_(sorted(missed)))
            .values(behind=space_table.c.behind + 1)
        )
