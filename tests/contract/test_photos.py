"""What every photo store does: the port's docstrings, one by one."""

from __future__ import annotations

import asyncio
import os

import pytest

from storage.identity import RevisionId
from storage.photos.port import PhotoStore
from storage.records.ids import new_revision_id


async def scanned(photos: PhotoStore) -> list[RevisionId]:
    """Every revision that has bytes, from all pages."""
    return sorted([revision async for page in photos.scan() for revision in page])


@pytest.mark.parametrize("size", [0, 1, 4096, 3_000_001])
async def test_bytes_come_back_as_they_were_stored(photos: PhotoStore, size: int) -> None:
    revision, data = new_revision_id(), os.urandom(size)
    await photos.put(revision, data)
    assert await photos.get(revision) == data


async def test_there_are_no_bytes_of_an_unknown_revision(photos: PhotoStore) -> None:
    assert await photos.get(new_revision_id()) is None


async def test_removed_bytes_are_gone_and_others_stay(photos: PhotoStore) -> None:
    revisions = [new_revision_id() for _ in range(5)]
    for revision in revisions:
        await photos.put(revision, revision.encode())
    await photos.remove([*revisions[:2], new_revision_id()])
    assert [await photos.get(revision) for revision in revisions[:2]] == [None, None]
    assert await photos.get(revisions[2]) == revisions[2].encode()
    assert await scanned(photos) == sorted(revisions[2:])
    await photos.remove(revisions)
    await photos.remove([])
    assert await scanned(photos) == []


async def test_many_photos_stored_at_once_are_all_there(photos: PhotoStore) -> None:
    revisions = [new_revision_id() for _ in range(100)]
    await asyncio.gather(*(photos.put(revision, revision.encode()) for revision in revisions))
    assert await scanned(photos) == sorted(revisions)
    kept = await asyncio.gather(*(photos.get(revision) for revision in revisions))
    assert kept == [revision.encode() for revision in revisions]


async def test_a_cancelled_put_leaves_all_bytes_or_none(photos: PhotoStore) -> None:
    data = os.urandom(1_000_000)
    revisions = [new_revision_id() for _ in range(30)]
    for turns, revision in enumerate(revisions):
        task = asyncio.create_task(photos.put(revision, data))
        for _ in range(turns):  # as many turns of the loop as it gets before it is cancelled
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    for revision in revisions:
        assert await photos.get(revision) in {None, data}


async def test_a_store_that_works_answers_a_ping_and_closes_twice(photos: PhotoStore) -> None:
    await photos.ping()
    assert await scanned(photos) == []
    await photos.close()
    await photos.close()
