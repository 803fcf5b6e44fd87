"""Listings, counts and walks over every record, on every record store."""

from __future__ import annotations

from storage.identity import FaceId, PhotoKey
from storage.records.model import Page, PhotoFilter, PhotoStatus, PhotoSummary
from storage.records.port import RecordStore
from tests.contract.sample_photos import (
    OTHER_SPACE,
    SPACE,
    began,
    detected,
    enrolled,
    face,
    sha256,
)

# By code point, not by what a language's dictionary says.
IN_ORDER = ["", "A", "Z", "a", "a b", "a.b", "ab", "z", "é", "ｱ", "😀"]


async def listed(records: RecordStore, which: PhotoFilter, limit: int = 3) -> list[PhotoSummary]:
    """Every line, by way of all pages."""
    found: list[PhotoSummary] = []
    after: PhotoKey | None = None
    while True:
        page = await records.list_photos(which, after=after, limit=limit)
        assert len(page.items) <= limit
        found += page.items
        if page.next_after is None:
            return found
        after = page.next_after


async def test_an_empty_base_has_one_empty_page(records: RecordStore) -> None:
    page = await records.list_photos(PhotoFilter(), after=None, limit=10)
    assert page == Page((), None)
    assert await records.count_photos(PhotoFilter()) == 0


async def test_photos_are_listed_by_code_point(records: RecordStore) -> None:
    for name in reversed(IN_ORDER[1:]):
        await enrolled(records, PhotoKey("c", name), faces=0)
    lines = await listed(records, PhotoFilter())
    assert [line.photo.photo_id for line in lines] == IN_ORDER[1:]


async def test_the_same_photo_in_several_collections_takes_several_lines(
    records: RecordStore,
) -> None:
    for name in reversed(IN_ORDER):
        await enrolled(records, PhotoKey(name, "1"), faces=0)
        await enrolled(records, PhotoKey(name, "0"), faces=0)
    lines = await listed(records, PhotoFilter(), limit=4)
    assert [line.photo for line in lines] == [
        PhotoKey(collection, photo) for photo in "01" for collection in IN_ORDER
    ]


async def test_the_last_full_page_says_that_it_is_the_last(records: RecordStore) -> None:
    for n in range(4):
        await enrolled(records, PhotoKey("", f"{n}"), faces=0)
    first = await records.list_photos(PhotoFilter(), after=None, limit=2)
    assert first.next_after == PhotoKey("", "1")
    second = await records.list_photos(PhotoFilter(), after=first.next_after, limit=2)
    assert [line.photo.photo_id for line in second.items] == ["2", "3"]
    assert second.next_after is None


async def test_a_page_goes_on_where_the_last_one_ended_whatever_came_between(
    records: RecordStore,
) -> None:
    for name in "bdf":
        await enrolled(records, PhotoKey("", name), faces=0)
    first = await records.list_photos(PhotoFilter(), after=None, limit=2)
    await records.remove_photo(PhotoKey("", "d"))
    await enrolled(records, PhotoKey("", "a"), faces=0)
    await enrolled(records, PhotoKey("", "e"), faces=0)
    rest = await records.list_photos(PhotoFilter(), after=first.next_after, limit=9)
    assert [line.photo.photo_id for line in rest.items] == ["e", "f"]


async def test_a_line_says_what_is_known_of_a_photo(records: RecordStore) -> None:
    photo = (await enrolled(records, faces=3)).photo
    await records.append_face(photo.revision.id, face())
    now = await records.photo(photo.revision.photo)
    assert now is not None
    assert await listed(records, PhotoFilter()) == [
        PhotoSummary(
            photo=photo.revision.photo,
            revision=photo.revision.id,
            sha256=sha256(1),
            status=PhotoStatus.INDEXED,
            faces_detected=4,
            faces_indexed=3,
            created_at=photo.revision.created_at,
            updated_at=now.revision.updated_at,
        )
    ]
    assert now.revision.updated_at >= photo.revision.updated_at


async def test_the_live_revision_is_listed_and_else_the_staged_one(records: RecordStore) -> None:
    both, only_staged = PhotoKey("", "1"), PhotoKey("", "2")
    live = (await enrolled(records, both, content=1)).photo
    await detected(records, both, content=2, faces=5)
    staged = await detected(records, only_staged, content=3)
    await began(records, PhotoKey("", "3"))
    lines = await listed(records, PhotoFilter())
    assert [line.revision for line in lines] == [live.revision.id, staged.revision.id]
    assert await records.count_photos(PhotoFilter()) == 2


async def test_filters_go_together(records: RecordStore) -> None:
    for collection in ("", "a", "b"):
        await enrolled(records, PhotoKey(collection, "indexed"))
        await enrolled(records, PhotoKey(collection, "none"), faces=0)
        await detected(records, PhotoKey(collection, "detected"))
        lost = await enrolled(records, PhotoKey(collection, "lost"))
        await records.mark_lost(lost.photo.revision.id, lost=True)
    names = {
        PhotoStatus.INDEXED: "indexed",
        PhotoStatus.NO_FACES: "none",
        PhotoStatus.DETECTED: "detected",
        PhotoStatus.FAILED: "lost",
    }
    for collections in (None, {""}, {"a"}, {"", "b"}, {"x"}, set[str]()):
        there = ["", "a", "b"] if collections is None else sorted(collections & {"", "a", "b"})
        within = None if collections is None else frozenset(collections)
        for status, name in names.items():
            which = PhotoFilter(within, None, status)
            lines = await listed(records, which, limit=2)
            assert [line.photo for line in lines] == [PhotoKey(c, name) for c in there]
            assert {line.status for line in lines} <= {status}
            assert await records.count_photos(which) == len(there)
        every = [PhotoKey(c, name) for name in sorted(names.values()) for c in there]
        lines = await listed(records, PhotoFilter(within), limit=2)
        assert [line.photo for line in lines] == every
        assert await records.count_photos(PhotoFilter(within)) == len(every)
        one = PhotoFilter(within, "lost")
        assert [line.photo for line in await listed(records, one, limit=1)] == [
            PhotoKey(c, "lost") for c in there
        ]
        assert await records.count_photos(one) == len(there)
        assert await records.count_photos(PhotoFilter(within, "lost", PhotoStatus.INDEXED)) == 0


async def test_every_indexed_face_is_walked_once_in_pages(records: RecordStore) -> None:
    many = (await enrolled(records, PhotoKey("", "many"), faces=1500)).photo
    few = (await enrolled(records, PhotoKey("", "few"), faces=2)).photo
    more = (await enrolled(records, PhotoKey("", "more"), faces=1200)).photo
    await detected(records, PhotoKey("", "detected"))
    gone = (await enrolled(records, PhotoKey("", "gone"))).photo
    await records.remove_photo(gone.revision.photo)
    elsewhere = (await enrolled(records, PhotoKey("", "elsewhere"), faces=1)).photo
    await records.index_face(elsewhere.faces[0].face_id, OTHER_SPACE)
    pages = [page async for page in records.indexed_faces(SPACE)]
    walked = [pair for page in pages for pair in page]
    assert len(pages) > 1
    assert max(map(len, pages)) <= 1000
    photos = sorted((many, few, more), key=lambda photo: photo.revision.id)
    assert walked == [(photo.revision, face) for photo in photos for face in photo.faces]


async def test_every_photo_that_somebody_can_see_is_walked_once(records: RecordStore) -> None:
    photos = [(await enrolled(records, PhotoKey("", f"{n}"), faces=0)).photo for n in range(20)]
    photos.append(await detected(records, PhotoKey("", "0"), content=2))
    await began(records)
    revisions = [rev async for page in records.live_revisions() for rev in page]
    assert revisions == sorted((photo.revision for photo in photos), key=lambda rev: rev.id)


async def test_old_pending_and_staged_revisions_expire(records: RecordStore) -> None:
    live = await enrolled(records, PhotoKey("", "live"))
    staged_beside = await detected(records, PhotoKey("", "live"), content=2)
    staged = await detected(records, PhotoKey("", "staged"))
    pending = await began(records)
    assert await records.expire(pending_seconds=3600, staged_seconds=3600) == 0
    assert await records.expire(pending_seconds=0, staged_seconds=3600) == 1
    assert await records.garbage(10) == [pending.id]
    assert await records.expire(pending_seconds=0, staged_seconds=0) == 2
    assert set(await records.garbage(10)) == {
        pending.id,
        staged.revision.id,
        staged_beside.revision.id,
    }
    assert await records.photo(PhotoKey("", "live")) == live.photo
    assert await records.staged(PhotoKey("", "live")) is None
    assert await records.photo(PhotoKey("", "staged")) is None
    assert await records.keys_of("staged") == []
    assert await records.count_photos(PhotoFilter()) == 1


async def test_a_photo_without_faces_does_not_expire(records: RecordStore) -> None:
    without = await detected(records, PhotoKey("", "sunset"), faces=0)
    await enrolled(records, PhotoKey("", "replaced"), content=1)
    await detected(records, PhotoKey("", "replaced"), content=2, faces=0)
    assert await records.expire(pending_seconds=0, staged_seconds=0) == 1
    assert await records.photo(PhotoKey("", "sunset")) == without
    assert without.status is PhotoStatus.NO_FACES


async def test_only_garbage_is_forgotten(records: RecordStore) -> None:
    live = (await enrolled(records, content=1)).photo
    old = (await enrolled(records, PhotoKey("", "old"), content=1)).photo
    await records.remove_photo(PhotoKey("", "old"))
    pending = await began(records)
    every = [live.revision.id, old.revision.id, pending.id]
    assert await records.unknown(every) == []
    await records.forget(every)
    assert await records.unknown(every) == [old.revision.id]
    assert await records.revision(old.revision.id) is None
    assert await records.revision(live.revision.id) == live
    assert await records.garbage(10) == []
    await records.forget(every)
    await records.forget([])
    assert await records.unknown([]) == []


async def test_garbage_is_handed_out_oldest_first(records: RecordStore) -> None:
    for content in range(6):
        await enrolled(records, content=content)
    every = await records.garbage(10)
    assert len(every) == 5
    assert list(every) == sorted(every)
    assert await records.garbage(2) == every[:2]


async def test_garbage_keeps_its_faces_until_it_is_forgotten(records: RecordStore) -> None:
    photo = (await enrolled(records)).photo
    await records.remove_photo(photo.revision.photo)
    kept = await records.revision(photo.revision.id)
    assert kept is not None
    assert kept.faces == photo.faces
    ids: list[FaceId] = [face.face_id for face in photo.faces]
    assert await records.visible(SPACE, ids) == {}
