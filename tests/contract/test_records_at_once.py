"""Writers of one photo at once, and what is left when they are done."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from storage.errors import FaceNotFound, PhotoNotFound, RevisionGone
from storage.identity import PhotoKey, RevisionId
from storage.records.model import Photo, PhotoFilter, PhotoStatus, RevisionState
from storage.records.port import RecordStore
from tests.contract.conftest import OpenRecords
from tests.contract.sample_photos import BEACH, SPACE, began, detected, enrolled, face, sha256


async def test_the_same_enrolment_twenty_times_at_once_makes_one_photo(
    open_records: OpenRecords,
) -> None:
    edges = [await open_records(), await open_records()]
    answers = await asyncio.gather(*(enrolled(edges[n % 2], faces=1) for n in range(20)))
    assert Counter(answer.created for answer in answers) == {True: 1, False: 19}
    assert len({answer.photo.revision.id for answer in answers}) == 1
    assert len(await edges[0].garbage(100)) == 19
    assert [page async for page in edges[1].live_revisions()] == [[answers[0].photo.revision]]


async def test_of_two_photos_for_one_id_one_is_left_and_whole(open_records: OpenRecords) -> None:
    one, other = await open_records(), await open_records()
    for n in range(15):
        photo = PhotoKey("", f"{n}")
        committed = await asyncio.gather(
            enrolled(one, photo, content=1, faces=1), enrolled(other, photo, content=2, faces=3)
        )
        assert all(answer.created for answer in committed)
        left = await one.photo(photo)
        assert left in [answer.photo for answer in committed]
        assert left is not None
        assert len(left.faces) == {sha256(1): 1, sha256(2): 3}[left.revision.sha256]
    assert len(await one.garbage(100)) == 15
    assert await one.count_photos(PhotoFilter()) == 15


async def test_a_photo_that_is_removed_while_it_is_enrolled_is_gone(
    open_records: OpenRecords,
) -> None:
    edge, other = await open_records(), await open_records()
    for n in range(20):
        photo = PhotoKey("c", f"{n}")
        mine = await began(edge, photo)
        commit = edge.commit_live(mine.id, width=1, height=1, faces=[face()], space=SPACE)
        remove = other.remove_photo(photo) if n % 2 else other.remove_all(None)
        outcome, removed = await asyncio.gather(commit, remove, return_exceptions=True)
        assert not isinstance(removed, BaseException)
        was_first = not isinstance(outcome, BaseException)
        assert was_first or isinstance(outcome, RevisionGone)
        assert removed.photos == removed.faces == int(was_first)
        assert await edge.photo(photo) is None
        assert mine.id in await edge.garbage(100)


async def test_faces_appended_at_once_get_numbers_of_their_own(open_records: OpenRecords) -> None:
    one, other = await open_records(), await open_records()
    photo = await detected(one, faces=1)
    added = await asyncio.gather(
        *((one, other)[n % 2].append_face(photo.revision.id, face(n)) for n in range(10))
    )
    assert sorted(new.number for new in added) == list(range(1, 11))
    now = await one.photo(BEACH)
    assert now is not None
    assert sorted(now.faces, key=lambda f: f.number) == [
        *photo.faces,
        *sorted(added, key=lambda f: f.number),
    ]


async def test_faces_indexed_at_once_make_their_revision_live_once(
    open_records: OpenRecords,
) -> None:
    one, other = await open_records(), await open_records()
    await enrolled(one, content=1)
    staged = await detected(one, content=2, faces=8)
    added = await asyncio.gather(
        *((one, other)[n % 2].index_face(f.face_id, SPACE) for n, f in enumerate(staged.faces))
    )
    assert all(answer.created for answer in added)
    lines = (await one.list_photos(PhotoFilter(), after=None, limit=9)).items
    assert [(line.revision, line.faces_indexed) for line in lines] == [(staged.revision.id, 8)]
    assert len(await one.garbage(9)) == 1


async def test_one_of_many_takes_the_lease(open_records: OpenRecords) -> None:
    edges = [await open_records(), await open_records()]
    taken = await asyncio.gather(
        *(edges[n % 2].take_lease("sweep", f"edge {n}", 60) for n in range(10))
    )
    assert Counter(taken) == {True: 1, False: 9}


async def test_every_job_is_claimed_by_one(open_records: OpenRecords) -> None:
    edges = [await open_records(), await open_records()]
    jobs = [await edges[0].add_job("check", {}) for _ in range(5)]
    claimed = await asyncio.gather(*(edges[n % 2].claim_job() for n in range(10)))
    assert Counter(job.id for job in claimed if job) == {job.id: 1 for job in jobs}


async def test_a_cancelled_enrolment_leaves_a_whole_photo_or_none(records: RecordStore) -> None:
    for turns in range(40):
        photo = PhotoKey("", f"{turns}")
        task = asyncio.create_task(enrolled(records, photo, faces=2))
        for _ in range(turns):  # as many turns of the loop as it gets before it is cancelled
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        left = await records.photo(photo)
        assert left is None or len(left.faces) == 2
    # Nothing stays locked behind them.
    await enrolled(records)
    await records.expire(pending_seconds=0, staged_seconds=0)
    await records.ping()


@pytest.mark.slow
async def test_whatever_happens_at_once_the_records_agree_with_themselves(
    open_records: OpenRecords,
) -> None:
    edges = [await open_records(), await open_records()]
    chance = random.Random(20261120)
    keys = [PhotoKey(collection, photo) for collection in ("", "a") for photo in "12"]

    for _ in range(10):
        outcomes = await asyncio.gather(
            *(
                do_something(
                    edges[n % 2], chance.randrange(11), chance.choice(keys), chance.randint(1, 3)
                )
                for n in range(30)
            ),
            return_exceptions=True,
        )
        for outcome in outcomes:
            # Overtaken is fine. Away, locked or deadlocked is not.
            assert outcome is None or isinstance(
                outcome, RevisionGone | FaceNotFound | PhotoNotFound
            ), outcome
        await agrees_with_itself(edges[0])


async def do_something(edge: RecordStore, kind: int, key: PhotoKey, content: int) -> None:
    """One of all the things that happen to a photo."""
    match kind:
        case 0 | 1 | 2:
            await enrolled(edge, key, content, faces=content)
        case 3 | 4:
            await detected(edge, key, content, faces=content)
        case 5:
            photo = await edge.photo(key)
            if photo is not None and photo.faces:
                await edge.index_face(photo.faces[-1].face_id, SPACE)
        case 6:
            photo = await edge.photo(key)
            if photo is not None:
                await edge.append_face(photo.revision.id, face())
        case 7:
            await edge.remove_photo(key)
        case 8:
            await edge.remove_all(None if content == 1 else frozenset({key.collection_id}))
        case 9:
            await edge.expire(pending_seconds=content, staged_seconds=0)
        case _:
            await edge.forget(await edge.garbage(5))


async def agrees_with_itself(records: RecordStore) -> None:
    """Every way to ask for a photo gives the same answer."""
    walked = {rev.id: rev async for page in records.live_revisions() for rev in page}
    named: set[RevisionId] = set()
    lines = (await records.list_photos(PhotoFilter(), after=None, limit=100)).items
    indexed: set[str] = set()
    for line in lines:
        photo = await records.photo(line.photo)
        assert photo is not None
        assert photo.revision == walked[line.revision]
        assert [f.number for f in photo.faces] == list(range(line.faces_detected))
        searchable = [f.face_id for f in photo.faces if f.space_id is not None]
        assert len(searchable) == line.faces_indexed
        assert line.status is photo.status
        _check_state(photo)
        if photo.revision.state is RevisionState.LIVE:
            indexed.update(searchable)
        named.add(photo.revision.id)
        staged = await records.staged(line.photo)
        if staged is not None:
            assert staged.revision.state is RevisionState.STAGED
            named.add(staged.revision.id)
    assert named == set(walked)
    assert await records.count_photos(PhotoFilter()) == len(lines)
    assert {f.face_id async for page in records.indexed_faces(SPACE) for _, f in page} == indexed


def _check_state(photo: Photo) -> None:
    if photo.revision.state is RevisionState.STAGED:
        assert photo.status in {PhotoStatus.DETECTED, PhotoStatus.NO_FACES}
    else:
        assert photo.revision.state is RevisionState.LIVE
