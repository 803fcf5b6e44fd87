"""Two spaces side by side, on every record store: what a change of pack is made of."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from storage.errors import EmbeddingSpaceMismatch, SpaceInUse
from storage.identity import PhotoKey, SpaceId
from storage.records.model import RevisionState, Space, SpaceState
from storage.records.port import RecordStore
from tests.contract.conftest import OpenRecords
from tests.contract.sample_photos import (
    BEACH,
    OTHER_SPACE,
    SPACE,
    began,
    detected,
    enrolled,
    face,
    sha256,
)

OLD = Space(SPACE, "small", "1", 128, SpaceState.ACTIVE)
NEW = Space(OTHER_SPACE, "large", "1", 512, SpaceState.FILLING)
TARGET = "inference-new:50051"


async def row_of(records: RecordStore, space: SpaceId) -> Space:
    return next(row for row in await records.spaces() if row.id == space)


async def test_a_space_is_filled_beside_the_active_one(records: RecordStore) -> None:
    await records.add_space(OLD)
    filling = await records.begin_filling(replace(NEW, state=SpaceState.ACTIVE), TARGET)
    assert filling == replace(NEW, target=TARGET)
    assert await records.spaces() == [OLD, filling]
    moved = await records.begin_filling(NEW, "another:1")  # gone on with, elsewhere
    assert moved == replace(NEW, target="another:1")


async def test_one_space_is_filled_at_a_time(records: RecordStore) -> None:
    await records.add_space(OLD)
    await records.begin_filling(NEW, None)
    third = replace(NEW, id=SpaceId("third"), pack="third")
    with pytest.raises(SpaceInUse, match="large"):
        await records.begin_filling(third, None)
    with pytest.raises(SpaceInUse, match="searched already"):
        await records.begin_filling(replace(OLD, state=SpaceState.FILLING), None)
    assert [space.id for space in await records.spaces()] == [SPACE, OTHER_SPACE]


async def test_what_was_indexed_before_is_in_the_space_that_follows(records: RecordStore) -> None:
    await records.add_space(OLD)
    photo = (await enrolled(records)).photo
    ids = [f.face_id for f in photo.faces]
    await records.begin_filling(NEW, TARGET)
    assert await records.visible(OTHER_SPACE, ids) == {}
    assert await records.activate_filled(OTHER_SPACE, behind=0)

    old, new = await records.spaces()
    assert (old.state, new.state) == (SpaceState.RETIRED, SpaceState.ACTIVE)
    assert (new.covers, new.target) == (frozenset({SPACE}), TARGET)
    assert sorted(await records.visible(OTHER_SPACE, ids)) == ids
    # A search that began before the change ends as it began.
    assert sorted(await records.visible(SPACE, ids)) == ids
    listed = [f.face_id async for page in records.indexed_faces(OTHER_SPACE) for _, f in page]
    assert listed == ids


async def test_the_same_bytes_are_not_enrolled_again_after_the_change(records: RecordStore) -> None:
    await records.add_space(OLD)
    before = (await enrolled(records)).photo
    await records.begin_filling(NEW, None)
    await records.activate_filled(OTHER_SPACE, behind=0)
    mine = await began(records)
    again = await records.commit_live(
        mine.id, width=640, height=480, faces=[face(0), face(1)], space=OTHER_SPACE
    )
    assert not again.created
    assert again.photo.revision.id == before.revision.id
    face_id = before.faces[0].face_id
    assert not (await records.index_face(face_id, OTHER_SPACE)).created


async def test_what_is_only_in_the_former_space_keeps_the_new_one_back(
    records: RecordStore,
) -> None:
    await records.add_space(OLD)
    await records.begin_filling(NEW, None)
    await enrolled(records)
    assert (await row_of(records, OTHER_SPACE)).behind == 1
    assert not await records.activate_filled(OTHER_SPACE, behind=0)
    assert (await row_of(records, SPACE)).state is SpaceState.ACTIVE
    assert await records.activate_filled(OTHER_SPACE, behind=1)


async def test_a_face_that_is_added_counts_as_behind_too(records: RecordStore) -> None:
    await records.add_space(OLD)
    staged = await detected(records)
    await records.begin_filling(NEW, None)
    await records.index_face(staged.faces[0].face_id, SPACE)
    assert (await row_of(records, OTHER_SPACE)).behind == 1
    await records.index_face(staged.faces[0].face_id, SPACE)  # nothing new
    assert (await row_of(records, OTHER_SPACE)).behind == 1
    await records.index_face(staged.faces[1].face_id, SPACE, also={OTHER_SPACE})
    assert (await row_of(records, OTHER_SPACE)).behind == 1


async def test_a_photo_without_faces_is_behind_nothing(records: RecordStore) -> None:
    await records.add_space(OLD)
    await records.begin_filling(NEW, None)
    await enrolled(records, faces=0)
    assert (await row_of(records, OTHER_SPACE)).behind == 0


async def test_what_went_to_both_spaces_is_in_the_one_that_is_active_at_the_commit(
    records: RecordStore,
) -> None:
    await records.add_space(OLD)
    await records.begin_filling(NEW, None)
    first, second = await began(records), await began(records, PhotoKey("", "2"), 2)
    await records.commit_live(
        first.id, width=1, height=1, faces=[face()], space=SPACE, also={OTHER_SPACE}
    )
    assert await records.activate_filled(OTHER_SPACE, behind=0)
    late = await records.commit_live(
        second.id, width=1, height=1, faces=[face()], space=SPACE, also={OTHER_SPACE}
    )
    assert {f.space_id for f in late.photo.faces} == {OTHER_SPACE}


async def test_what_is_in_a_retired_space_only_is_not_committed(records: RecordStore) -> None:
    await records.add_space(OLD)
    staged = await detected(records, PhotoKey("", "staged"), 3)
    mine = await began(records)
    await records.begin_filling(NEW, None)
    await records.activate_filled(OTHER_SPACE, behind=0)
    with pytest.raises(EmbeddingSpaceMismatch):
        await records.commit_live(mine.id, width=1, height=1, faces=[face()], space=SPACE)
    with pytest.raises(EmbeddingSpaceMismatch):
        await records.index_face(staged.faces[0].face_id, SPACE)
    pending = await records.revision(mine.id)
    assert pending is not None
    assert pending.revision.state is RevisionState.PENDING
    # Embedded by the other pack, it goes through.
    committed = await records.commit_live(
        mine.id, width=1, height=1, faces=[face()], space=OTHER_SPACE
    )
    assert committed.created


async def test_one_can_change_back(records: RecordStore) -> None:
    await records.add_space(OLD)
    first = (await enrolled(records)).photo
    await records.begin_filling(NEW, None)
    await records.activate_filled(OTHER_SPACE, behind=0)
    mine = await began(records, PhotoKey("", "later"), 2)
    later = await records.commit_live(mine.id, width=1, height=1, faces=[face()], space=OTHER_SPACE)
    ids = sorted(f.face_id for f in (*first.faces, *later.photo.faces))
    await records.begin_filling(replace(OLD, state=SpaceState.FILLING), None)
    assert await records.activate_filled(SPACE, behind=0)
    assert sorted(await records.visible(SPACE, ids)) == ids
    assert (await row_of(records, SPACE)).covers == frozenset({OTHER_SPACE})


async def test_a_space_that_is_forgotten_leaves_its_faces_to_the_one_that_covers_it(
    records: RecordStore,
) -> None:
    await records.add_space(OLD)
    photo = (await enrolled(records)).photo
    ids = [f.face_id for f in photo.faces]
    await records.begin_filling(NEW, TARGET)
    await records.activate_filled(OTHER_SPACE, behind=0)
    with pytest.raises(SpaceInUse):
        await records.forget_space(OTHER_SPACE)
    await records.forget_space(SPACE)
    await records.forget_space(SPACE)
    (row,) = await records.spaces()
    assert (row.id, row.covers) == (OTHER_SPACE, frozenset())
    assert sorted(await records.visible(OTHER_SPACE, ids)) == ids
    now = await records.photo(BEACH)
    assert now is not None
    assert {f.space_id for f in now.faces} == {OTHER_SPACE}


async def test_a_space_that_was_being_filled_can_be_forgotten(records: RecordStore) -> None:
    await records.add_space(OLD)
    photo = (await enrolled(records)).photo
    await records.begin_filling(NEW, TARGET)
    await records.forget_space(OTHER_SPACE)
    assert await records.spaces() == [OLD]
    assert len(await records.visible(SPACE, [f.face_id for f in photo.faces])) == 2


async def test_the_server_of_a_space_can_be_changed(records: RecordStore) -> None:
    await records.add_space(OLD)
    await records.set_space_target(SPACE, TARGET)
    assert (await row_of(records, SPACE)).target == TARGET
    await records.set_space_target(SPACE, None)
    assert await records.spaces() == [OLD]


async def test_no_face_slips_past_a_change_of_pack(open_records: OpenRecords) -> None:
    """Many commits while the space becomes active: each is in it, or keeps it back."""
    edges = [await open_records() for _ in range(3)]
    await edges[0].add_space(OLD)
    await edges[0].begin_filling(NEW, None)

    async def enrol(edge: RecordStore, number: int) -> bool:
        mine = await edge.begin(PhotoKey("", f"p{number}"), sha256(number), 1)
        try:
            await edge.commit_live(mine.id, width=1, height=1, faces=[face()], space=SPACE)
        except EmbeddingSpaceMismatch:
            return False
        return True

    async def change() -> int:
        tries = 0
        while True:
            behind = (await row_of(edges[0], OTHER_SPACE)).behind
            tries += 1
            if await edges[0].activate_filled(OTHER_SPACE, behind=behind):
                return behind
            await asyncio.sleep(0)

    first = asyncio.gather(*(enrol(edges[n % 3], n) for n in range(20)))
    behind, *_ = await asyncio.gather(change(), first)
    # So many were committed before the change, and every other one was refused.
    assert sum(await first) == behind
