"""The owner of a gallery: order, company and the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from storage.errors import VectorsUnavailable
from storage.vectors.gallery import Gallery, Query
from storage.vectors.gallery_owner import GalleryOwner
from storage.vectors.port import Embedding, Hit
from tests.unit.storage.vectors.faces import key, random_units

DIM = 16
VECTORS = random_units(64, DIM)


class WatchedGallery(Gallery):
    """Notes how many searches it was given together; large ones wait until they may go on."""

    def __init__(self) -> None:
        super().__init__(DIM)
        self.together: list[int] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()

    def search(self, queries: Sequence[Query]) -> list[list[Hit]]:
        self.together.append(len(queries))
        if any(query.limit > 1_000 for query in queries):
            self.has_begun.set()
            assert self.may_go_on.wait(10)
        return super().search(queries)


def query(probe: Embedding, limit: int = 5) -> Query:
    return Query(probe, None, limit, -1.0, ())


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def gallery() -> WatchedGallery:
    watched = WatchedGallery()
    # More faces than the event loop answers for at once: limits above 500 rows go to the thread.
    for start in range(0, 640, 64):
        watched.put([key(start + n) for n in range(64)], VECTORS)
    return watched


@pytest.fixture
async def owner(gallery: WatchedGallery, thread: ThreadPoolExecutor) -> AsyncIterator[GalleryOwner]:
    owned = GalleryOwner(gallery, thread)
    yield owned
    gallery.may_go_on.set()
    await owned.close()


async def begun(gallery: WatchedGallery) -> None:
    assert await asyncio.to_thread(gallery.has_begun.wait, 10)


async def test_searches_that_wait_are_answered_together_each_with_its_own(
    owner: GalleryOwner, gallery: WatchedGallery
) -> None:
    slow = asyncio.create_task(owner.search(query(VECTORS[0], limit=2_000)))
    await begun(gallery)

    waiting = [asyncio.create_task(owner.search(query(VECTORS[n]))) for n in range(10)]
    await asyncio.sleep(0)
    gallery.may_go_on.set()
    answers = await asyncio.gather(*waiting)

    assert len(await slow) == 640
    assert gallery.together == [1, 10]
    for probe, hits in zip(VECTORS, answers, strict=False):
        (alone,) = Gallery.search(gallery, [query(probe)])
        assert hits == alone


async def test_the_event_loop_goes_on_while_a_large_search_runs(
    owner: GalleryOwner, gallery: WatchedGallery
) -> None:
    slow = asyncio.create_task(owner.search(query(VECTORS[0], limit=2_000)))

    await begun(gallery)  # would never come if the loop were held

    gallery.may_go_on.set()
    await slow


async def test_a_change_waits_for_the_searches_before_it_and_is_seen_by_those_after(
    owner: GalleryOwner, gallery: WatchedGallery
) -> None:
    before = asyncio.create_task(owner.search(query(VECTORS[0], limit=2_000)))
    await begun(gallery)
    removal = asyncio.create_task(owner.remove_revisions([key(n).revision for n in range(639)]))
    after = asyncio.create_task(owner.search(query(VECTORS[0], limit=2_000)))
    await asyncio.sleep(0)
    assert owner.faces == 640

    gallery.may_go_on.set()

    assert len(await before) == 640
    await removal
    assert len(await after) == 1


async def test_a_search_whose_caller_has_gone_is_not_done(
    owner: GalleryOwner, gallery: WatchedGallery
) -> None:
    slow = asyncio.create_task(owner.search(query(VECTORS[0], limit=2_000)))
    await begun(gallery)
    gone = asyncio.create_task(owner.search(query(VECTORS[1])))
    stays = asyncio.create_task(owner.search(query(VECTORS[2])))
    await asyncio.sleep(0)

    gone.cancel()
    gallery.may_go_on.set()
    await asyncio.gather(slow, stays)

    assert gallery.together == [1, 1]


async def test_a_failure_belongs_to_whoever_waits_and_ends_nothing(owner: GalleryOwner) -> None:
    with pytest.raises(ValueError, match="mismatch"):
        await owner.search(query(np.zeros(DIM + 1, np.float32)))
    with pytest.raises(ValueError, match="zip"):
        await owner.put([key(1), key(2)], VECTORS[:1], replace=True)

    assert len(await owner.search(query(VECTORS[0]))) == 5


async def test_what_waits_at_the_end_is_told_so(
    owner: GalleryOwner, gallery: WatchedGallery
) -> None:
    running = asyncio.create_task(owner.search(query(VECTORS[0], limit=2_000)))
    await begun(gallery)
    waiting = asyncio.create_task(owner.search(query(VECTORS[0])))
    change = asyncio.create_task(owner.remove_revisions([key(0).revision]))
    await asyncio.sleep(0)

    await owner.close()

    for task in (running, waiting, change):
        with pytest.raises(VectorsUnavailable, match="closed"):
            await task
    with pytest.raises(VectorsUnavailable, match="closed"):
        await owner.search(query(VECTORS[0]))
