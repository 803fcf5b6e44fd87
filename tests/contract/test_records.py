"""What every record store does with photos: the port's docstrings, one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import AlreadyExists, FaceNotFound, PhotoNotFound, RevisionGone
from storage.identity import FaceId, PhotoKey, RevisionId, face_id_of
from storage.records.model import Box, FaceState, PhotoStatus, Removed, RevisionState
from storage.records.port import RecordStore
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

NOBODY = RevisionId("0" * 26)
HOSTILE = [
    "a/../b",
    "..",
    "%2e%2e",
    'x" or photo_id != "',
    "a'b",
    "back\\slash",
    "%",
    "_",
    "😀",
    "Ünïcödé",
    '["a"]',
    "NULL",
    "$1",
    ":name",
    "?",
    "1",
    " inner  space ".strip(),
]


async def test_a_pending_revision_is_seen_by_nobody(records: RecordStore) -> None:
    mine = await began(records)
    assert (mine.state, mine.photo, mine.sha256) == (RevisionState.PENDING, BEACH, sha256(1))
    assert (mine.bytes, mine.width, mine.height, mine.lost) == (1001, 0, 0, False)
    assert await records.photo(BEACH) is None
    assert await records.staged(BEACH) is None
    assert await records.same_bytes(BEACH, sha256(1)) is None
    assert await records.keys_of("beach.jpg") == []
    assert await records.live_photos([BEACH]) == []
    written = await records.revision(mine.id)
    assert written is not None
    assert written.revision == mine


async def test_new_revisions_have_ids_that_make_face_ids(records: RecordStore) -> None:
    mine = await began(records)
    other = await began(records)
    assert mine.id != other.id
    committed = await records.commit_live(mine.id, width=1, height=1, faces=[face()], space=SPACE)
    assert committed.photo.faces[0].face_id == face_id_of(mine.id, 0)


async def test_times_are_in_utc_and_of_now(records: RecordStore) -> None:
    mine = await began(records)
    assert mine.created_at.utcoffset() == timedelta(0)
    assert abs(mine.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert mine.created_at.timestamp() <= await records.clock()


async def test_an_enrolled_photo_is_there_with_every_figure_of_its_faces(
    records: RecordStore,
) -> None:
    committed = await enrolled(records, faces=3)
    assert committed.created
    photo = await records.photo(BEACH)
    assert photo == committed.photo
    assert (photo.revision.width, photo.revision.height) == (640, 480)
    assert photo.revision.state is RevisionState.LIVE
    assert photo.status is PhotoStatus.INDEXED
    assert [f.number for f in photo.faces] == [0, 1, 2]
    assert [f.seen for f in photo.faces] == [face(0), face(1), face(2)]
    assert {(f.state, f.space_id) for f in photo.faces} == {(FaceState.INDEXED, SPACE)}


async def test_more_than_ten_faces_keep_their_order(records: RecordStore) -> None:
    await enrolled(records, faces=12)
    photo = await records.photo(BEACH)
    assert photo is not None
    assert [f.number for f in photo.faces] == list(range(12))


async def test_a_photo_without_faces_is_kept(records: RecordStore) -> None:
    committed = await enrolled(records, faces=0)
    assert committed.photo.status is PhotoStatus.NO_FACES
    assert await records.photo(BEACH) == committed.photo


async def test_the_same_bytes_again_are_answered_by_the_photo_that_is_there(
    records: RecordStore,
) -> None:
    first = await enrolled(records)
    again = await enrolled(records)
    assert not again.created
    assert again.photo == first.photo
    assert len(await records.garbage(10)) == 1


async def test_other_bytes_replace_the_photo_whole(records: RecordStore) -> None:
    first = await enrolled(records, content=1, faces=3)
    second = await enrolled(records, content=2, faces=1)
    assert second.created
    assert await records.photo(BEACH) == second.photo
    assert await records.garbage(10) == [first.photo.revision.id]
    assert await records.face(first.photo.faces[0].face_id) is None


async def test_the_same_bytes_in_another_space_replace_the_photo(records: RecordStore) -> None:
    await enrolled(records)
    mine = await began(records)
    committed = await records.commit_live(
        mine.id, width=1, height=1, faces=[face()], space=OTHER_SPACE
    )
    assert committed.created


async def test_the_same_bytes_replace_a_photo_of_which_not_every_face_is_indexed(
    records: RecordStore,
) -> None:
    staged = await detected(records, faces=2)
    await records.index_face(staged.faces[0].face_id, SPACE)
    assert (await enrolled(records)).created


async def test_the_same_bytes_replace_a_photo_that_lost_them(records: RecordStore) -> None:
    first = await enrolled(records)
    await records.mark_lost(first.photo.revision.id, lost=True)
    assert await records.same_bytes(BEACH, sha256(1)) is None
    assert (await enrolled(records)).created
    photo = await records.photo(BEACH)
    assert photo is not None
    assert not photo.revision.lost


async def test_a_photo_that_must_not_be_replaced_is_not(records: RecordStore) -> None:
    first = await enrolled(records)
    for content in (1, 2):
        mine = await began(records, content=content)
        with pytest.raises(AlreadyExists):
            await records.commit_live(
                mine.id, width=1, height=1, faces=[], space=SPACE, replace=False
            )
        assert mine.id in await records.garbage(10)
    assert await records.photo(BEACH) == first.photo


async def test_a_photo_that_was_only_detected_is_no_obstacle(records: RecordStore) -> None:
    await detected(records)
    mine = await began(records, content=2)
    committed = await records.commit_live(
        mine.id, width=1, height=1, faces=[], space=SPACE, replace=False
    )
    assert committed.created


@pytest.mark.parametrize("how", ["commit_live", "commit_staged"])
async def test_a_revision_is_committed_once(records: RecordStore, how: str) -> None:
    mine = await began(records)

    async def commit() -> None:
        if how == "commit_live":
            await records.commit_live(mine.id, width=1, height=1, faces=[], space=SPACE)
        else:
            await records.commit_staged(mine.id, width=1, height=1, faces=[])

    await commit()
    with pytest.raises(RevisionGone):
        await commit()


async def test_a_discarded_revision_cannot_be_committed(records: RecordStore) -> None:
    mine = await began(records)
    await records.discard(mine.id)
    with pytest.raises(RevisionGone):
        await records.commit_live(mine.id, width=1, height=1, faces=[], space=SPACE)
    with pytest.raises(RevisionGone):
        await records.commit_staged(mine.id, width=1, height=1, faces=[])
    with pytest.raises(RevisionGone):
        await records.commit_live(NOBODY, width=1, height=1, faces=[], space=SPACE)
    assert await records.photo(BEACH) is None
    assert await records.keys_of(BEACH.photo_id) == []


async def test_discarding_leaves_what_is_not_pending_alone(records: RecordStore) -> None:
    live = await enrolled(records)
    staged = await detected(records, content=2)
    for revision in (live.photo.revision.id, staged.revision.id, NOBODY):
        await records.discard(revision)
    assert await records.photo(BEACH) == live.photo
    assert await records.staged(BEACH) == staged


async def test_a_detected_photo_waits_beside_the_live_one(records: RecordStore) -> None:
    live = await enrolled(records, content=1)
    staged = await detected(records, content=2)
    assert await records.photo(BEACH) == live.photo
    assert await records.staged(BEACH) == staged
    assert {(f.state, f.space_id) for f in staged.faces} == {(FaceState.DETECTED, None)}
    assert await records.live_photos([BEACH]) == [live.photo]


async def test_a_photo_that_is_only_detected_is_what_there_is(records: RecordStore) -> None:
    staged = await detected(records)
    assert await records.photo(BEACH) == staged
    assert staged.status is PhotoStatus.DETECTED
    assert await records.live_photos([BEACH]) == []


async def test_a_newer_detection_takes_the_place_of_the_older(records: RecordStore) -> None:
    older = await detected(records, content=1)
    newer = await detected(records, content=2)
    assert await records.staged(BEACH) == newer
    assert await records.garbage(10) == [older.revision.id]


async def test_detecting_known_bytes_answers_with_what_is_known(records: RecordStore) -> None:
    live = await enrolled(records, content=1)
    assert await detected(records, content=1) == live.photo
    staged = await detected(records, content=2)
    assert await detected(records, content=2) == staged
    assert await records.same_bytes(BEACH, sha256(1)) == live.photo
    assert await records.same_bytes(BEACH, sha256(2)) == staged
    assert await records.same_bytes(BEACH, sha256(3)) is None
    assert await records.same_bytes(PhotoKey("", "beach.jpg"), sha256(1)) is None


async def test_enrolling_ends_a_detection_that_waits(records: RecordStore) -> None:
    staged = await detected(records, content=1)
    await enrolled(records, content=2)
    assert await records.staged(BEACH) is None
    assert await records.garbage(10) == [staged.revision.id]


async def test_the_first_face_of_a_detected_photo_makes_it_live(records: RecordStore) -> None:
    live = await enrolled(records, content=1)
    staged = await detected(records, content=2, faces=2)
    indexed = await records.index_face(staged.faces[1].face_id, SPACE)
    assert indexed.created
    assert (indexed.face.state, indexed.face.space_id) == (FaceState.INDEXED, SPACE)
    photo = await records.photo(BEACH)
    assert photo is not None
    assert photo.revision.id == staged.revision.id
    assert photo.revision.state is RevisionState.LIVE
    assert [f.state for f in photo.faces] == [FaceState.DETECTED, FaceState.INDEXED]
    assert photo.status is PhotoStatus.INDEXED
    assert await records.staged(BEACH) is None
    assert await records.garbage(10) == [live.photo.revision.id]


async def test_indexing_a_face_again_changes_nothing(records: RecordStore) -> None:
    staged = await detected(records)
    first = await records.index_face(staged.faces[0].face_id, SPACE)
    again = await records.index_face(staged.faces[0].face_id, SPACE)
    assert not again.created
    assert again.face == first.face


async def test_a_face_may_be_indexed_in_another_space(records: RecordStore) -> None:
    face_id = (await enrolled(records)).photo.faces[0].face_id
    assert (await records.index_face(face_id, OTHER_SPACE)).created
    assert list(await records.visible(OTHER_SPACE, [face_id])) == [face_id]
    assert await records.visible(SPACE, [face_id]) == {}


async def test_a_face_that_is_not_there_cannot_be_indexed(records: RecordStore) -> None:
    photo = (await enrolled(records, content=1)).photo
    overtaken = photo.faces[0].face_id
    await enrolled(records, content=2)
    pending = await began(records)
    for face_id in (
        overtaken,
        face_id_of(pending.id, 0),
        face_id_of(photo.revision.id, 99),
        face_id_of(NOBODY, 0),
        FaceId("not one of ours"),
    ):
        with pytest.raises(FaceNotFound):
            await records.index_face(face_id, SPACE)
        assert await records.face(face_id) is None


async def test_a_face_is_found_with_its_revision(records: RecordStore) -> None:
    live = (await enrolled(records, content=1)).photo
    staged = await detected(records, content=2)
    assert await records.face(live.faces[1].face_id) == (live.revision, live.faces[1])
    assert await records.face(staged.faces[0].face_id) == (staged.revision, staged.faces[0])


async def test_a_face_is_appended_under_the_next_number(records: RecordStore) -> None:
    live = (await enrolled(records, faces=2)).photo
    added = await records.append_face(live.revision.id, face(7))
    assert (added.number, added.state, added.space_id) == (2, FaceState.DETECTED, None)
    assert added.seen == face(7)
    photo = await records.photo(BEACH)
    assert photo is not None
    assert photo.faces == (*live.faces, added)
    assert (await records.index_face(added.face_id, SPACE)).created


async def test_no_face_is_appended_to_what_nobody_sees(records: RecordStore) -> None:
    pending = await began(records)
    overtaken = await enrolled(records, content=1)
    await enrolled(records, content=2)
    for revision in (pending.id, overtaken.photo.revision.id, NOBODY):
        with pytest.raises(PhotoNotFound):
            await records.append_face(revision, face())


async def test_a_lost_photo_has_failed_until_it_is_found_again(records: RecordStore) -> None:
    revision = (await enrolled(records)).photo.revision.id
    await records.mark_lost(revision, lost=True)
    photo = await records.photo(BEACH)
    assert photo is not None
    assert photo.status is PhotoStatus.FAILED
    await records.mark_lost(revision, lost=False)
    photo = await records.photo(BEACH)
    assert photo is not None
    assert photo.status is PhotoStatus.INDEXED
    await records.mark_lost(NOBODY, lost=True)


async def test_a_removed_photo_is_gone_for_everybody(records: RecordStore) -> None:
    live = await enrolled(records, content=1, faces=3)
    staged = await detected(records, content=2)
    pending = await began(records, content=3)
    assert await records.remove_photo(BEACH) == Removed(photos=1, faces=3)
    assert await records.photo(BEACH) is None
    assert await records.staged(BEACH) is None
    assert await records.keys_of(BEACH.photo_id) == []
    assert set(await records.garbage(10)) == {
        live.photo.revision.id,
        staged.revision.id,
        pending.id,
    }
    with pytest.raises(RevisionGone):
        await records.commit_live(pending.id, width=1, height=1, faces=[], space=SPACE)
    assert await records.remove_photo(BEACH) == Removed(photos=0, faces=0)


async def test_removing_leaves_other_photos_alone(records: RecordStore) -> None:
    others = [PhotoKey("", "beach.jpg"), PhotoKey("wedding", "beach.jp"), PhotoKey("Wedding", "x")]
    for other in others:
        await enrolled(records, other)
    await enrolled(records, BEACH)
    await records.remove_photo(BEACH)
    for other in others:
        assert await records.photo(other) is not None


async def test_what_is_only_detected_or_written_counts_as_no_face_and_no_photo(
    records: RecordStore,
) -> None:
    await detected(records)
    assert await records.remove_photo(BEACH) == Removed(photos=1, faces=0)
    await began(records)
    assert await records.remove_photo(BEACH) == Removed(photos=0, faces=0)


async def test_removing_all_of_some_collections(records: RecordStore) -> None:
    for collection, faces in (("a", 1), ("b", 2), ("", 4)):
        for n in range(3):
            await enrolled(records, PhotoKey(collection, f"{n}"), faces=faces)
    pending = await began(records, PhotoKey("a", "9"))
    assert await records.remove_all(frozenset()) == Removed(photos=0, faces=0)
    assert await records.remove_all(frozenset({"a", "", "none"})) == Removed(photos=6, faces=15)
    assert await records.keys_of("1") == [PhotoKey("b", "1")]
    with pytest.raises(RevisionGone):
        await records.commit_live(pending.id, width=1, height=1, faces=[], space=SPACE)


async def test_removing_everything(records: RecordStore) -> None:
    await enrolled(records, PhotoKey("a", "1"), faces=2)
    await detected(records, PhotoKey("b", "2"))
    assert await records.remove_all(None) == Removed(photos=2, faces=2)
    assert await records.remove_all(None) == Removed(photos=0, faces=0)
    assert [page async for page in records.live_revisions()] == []
    assert (await enrolled(records)).created


async def test_a_removed_photo_may_come_back(records: RecordStore) -> None:
    first = await enrolled(records)
    await records.remove_photo(BEACH)
    again = await enrolled(records)
    assert again.created
    assert again.photo.revision.id != first.photo.revision.id


async def test_visible_are_indexed_faces_of_live_revisions(records: RecordStore) -> None:
    live = (await enrolled(records, PhotoKey("", "1"), faces=12)).photo
    staged = await detected(records, PhotoKey("", "2"))
    appended = await records.append_face(live.revision.id, face())
    removed = (await enrolled(records, PhotoKey("", "3"))).photo
    await records.remove_photo(PhotoKey("", "3"))
    asked = [f.face_id for f in (*live.faces, *staged.faces, appended, *removed.faces)]
    asked += [face_id_of(NOBODY, 0), face_id_of(live.revision.id, 99), FaceId("f_x_1"), asked[0]]
    assert await records.visible(SPACE, asked) == {f.face_id: f.seen.box for f in live.faces}
    assert await records.visible(SPACE, asked[2:3]) == {asked[2]: live.faces[2].seen.box}
    assert await records.visible(OTHER_SPACE, asked) == {}
    assert await records.visible(SPACE, []) == {}


async def test_visible_takes_as_many_faces_as_a_search_may_bring(records: RecordStore) -> None:
    live = (await enrolled(records)).photo
    strangers = [face_id_of(NOBODY, n) for n in range(40_000)]
    found = await records.visible(SPACE, [*strangers, *(f.face_id for f in live.faces)])
    assert found == {f.face_id: f.seen.box for f in live.faces}


async def test_live_photos_answer_for_exactly_the_photos_asked_for(records: RecordStore) -> None:
    keys = [PhotoKey(collection, photo) for collection in "ab" for photo in "12"]
    photos = {key: (await enrolled(records, key, faces=n)).photo for n, key in enumerate(keys)}
    asked = [PhotoKey("a", "1"), PhotoKey("b", "2"), PhotoKey("c", "1"), PhotoKey("a", "1")]
    found = await records.live_photos(asked)
    assert sorted(found, key=lambda photo: photo.revision.photo) == [
        photos[PhotoKey("a", "1")],
        photos[PhotoKey("b", "2")],
    ]
    assert await records.live_photos([]) == []


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_is_taken_literally(records: RecordStore, name: str) -> None:
    photo, other = PhotoKey(name, name), PhotoKey("plain", "plain")
    await enrolled(records, other)
    committed = await enrolled(records, photo)
    assert committed.photo.revision.photo == photo
    assert await records.photo(photo) == committed.photo
    assert await records.keys_of(name) == [photo]
    assert await records.live_photos([photo]) == [committed.photo]
    assert await records.remove_all(frozenset({name})) == Removed(photos=1, faces=2)
    assert await records.photo(other) is not None


async def test_the_photos_of_one_id_are_listed_by_collection(records: RecordStore) -> None:
    for collection in ("b", "", "a", "é", "Z"):
        await enrolled(records, PhotoKey(collection, "1"))
    await detected(records, PhotoKey("staged", "1"))
    await began(records, PhotoKey("pending", "1"))
    assert [key.collection_id for key in await records.keys_of("1")] == [
        "",
        "Z",
        "a",
        "b",
        "staged",
        "é",
    ]


async def test_extreme_figures_come_back_as_they_were(records: RecordStore) -> None:
    mine = await records.begin(BEACH, sha256(1), 2**40)
    seen = face()
    odd = type(seen)(
        box=Box(-0.1, 1e-300, 1e300, 0.1 + 0.2),
        landmarks=((1 / 3, 2**53 + 1.0),) * 5,
        detection_score=5e-324,
        quality=seen.quality,
    )
    await records.commit_live(mine.id, width=2**31 - 1, height=1, faces=[odd], space=SPACE)
    photo = await records.photo(BEACH)
    assert photo is not None
    assert photo.faces[0].seen == odd
    assert (photo.revision.bytes, photo.revision.width) == (2**40, 2**31 - 1)
