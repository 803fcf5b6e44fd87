"""Memory over another store: the same answers, the same order of things, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from storage.errors import VectorsUnavailable
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import Collections, Embedding, FaceKey, FaceVector, Hit
from storage.vectors.resident import Filling, ResidentVectorStore
from tests.unit.storage.vectors.faces import SPACE, face, found_photos, random_units

DIM = 32
VECTORS = random_units(600, DIM)
FACES = [face(n, vector) for n, vector in enumerate(VECTORS)]


class Kept(MemoryVectorStore):
    """An inner store that can fail, wait, and counts its searches."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.searches = 0
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.is_writing = asyncio.Event()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.has_read = asyncio.Event()

    async def add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        self.is_writing.set()
        await self.may_write.wait()
        if self.is_away:
            raise VectorsUnavailable("away")
        await super().add(space, faces)

    async def remove_revisions(self, revisions: Sequence[RevisionId]) -> None:
        if self.is_away:
            raise VectorsUnavailable("away")
        await super().remove_revisions(revisions)

    async def fetch(self, space: SpaceId, faces: Sequence[FaceId]) -> Sequence[FaceVector]:
        found = await super().fetch(space, faces)
        self.has_read.set()
        await self.may_read.wait()
        if self.is_away:
            raise VectorsUnavailable("away")
        return found

    async def search(
        self,
        space: SpaceId,
        probe: Embedding,
        *,
        within: Collections,
        limit: int,
        minimum_score: float,
        excluding: Sequence[PhotoKey] = (),
    ) -> Sequence[Hit]:
        self.searches += 1
        return await super().search(
            space,
            probe,
            within=within,
            limit=limit,
            minimum_score=minimum_score,
            excluding=excluding,
        )


@pytest.fixture
async def kept() -> Kept:
    inner = Kept()
    await inner.open_space(SPACE, DIM)
    await inner.add(SPACE, FACES)
    return inner


@pytest.fixture
async def store(kept: Kept) -> AsyncIterator[ResidentVectorStore]:
    resident = ResidentVectorStore(kept)
    yield resident
    kept.may_write.set()
    kept.may_read.set()
    await resident.close()


async def test_what_was_kept_is_read_into_memory_and_searched_there(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)

    assert await found_photos(store, VECTORS[0]) == {f"photo {n}" for n in range(600)}
    assert await store.count(SPACE) == 600
    assert kept.searches == 0
    assert store.filling == {}


async def test_a_space_that_was_not_opened_here_is_searched_where_it_is_kept(
    store: ResidentVectorStore, kept: Kept
) -> None:
    assert len(await found_photos(store, VECTORS[0])) == 600
    assert kept.searches == 1


async def test_while_a_space_is_read_the_store_below_answers_and_progress_is_told(
    store: ResidentVectorStore, kept: Kept
) -> None:
    kept.may_read.clear()
    opening = asyncio.create_task(store.open_space(SPACE, DIM))
    await kept.has_read.wait()

    assert len(await found_photos(store, VECTORS[0])) == 600
    assert await store.count(SPACE) == 600
    assert store.filling == {SPACE: Filling(done=0, total=600)}

    kept.may_read.set()
    await opening
    assert store.filling == {}


async def test_what_changes_while_a_space_is_read_is_right_afterwards(
    store: ResidentVectorStore, kept: Kept
) -> None:
    kept.may_read.clear()
    opening = asyncio.create_task(store.open_space(SPACE, DIM))
    await kept.has_read.wait()  # the first page is read, and not yet in memory

    await store.remove_revisions([FACES[0].revision, FACES[599].revision])
    added = face(1_000, VECTORS[0])
    await store.add(SPACE, [added])
    moved = FaceVector(FACES[1].face_id, added.photo, FACES[1].revision, VECTORS[5])
    await store.add(SPACE, [moved])
    kept.may_read.set()
    await opening

    expected = {f"photo {n}" for n in range(2, 599)} | {"photo 1000"}
    assert await found_photos(store, VECTORS[0]) == expected
    assert await store.count(SPACE) == 599 == await kept.count(SPACE)


async def test_a_space_that_could_not_be_read_can_be_opened_again(
    store: ResidentVectorStore, kept: Kept
) -> None:
    kept.is_away = True
    with pytest.raises(VectorsUnavailable):
        await store.open_space(SPACE, DIM)
    assert store.filling == {}

    kept.is_away = False
    await store.open_space(SPACE, DIM)

    assert len(await found_photos(store, VECTORS[0])) == 600


async def test_a_space_opened_twice_at_once_is_read_once(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await asyncio.gather(store.open_space(SPACE, DIM), store.open_space(SPACE, DIM))

    assert await store.count(SPACE) == 600


async def test_what_the_store_below_did_not_take_is_not_in_memory_either(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)
    kept.is_away = True

    with pytest.raises(VectorsUnavailable):
        await store.add(SPACE, [face(1_000, VECTORS[0])])
    with pytest.raises(VectorsUnavailable):
        await store.remove_revisions([FACES[0].revision])

    assert await found_photos(store, VECTORS[0]) == {f"photo {n}" for n in range(600)}


async def test_searches_go_on_while_the_store_below_is_away(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)
    kept.is_away = True

    assert len(await found_photos(store, VECTORS[0])) == 600


async def test_an_addition_whose_caller_goes_is_in_both_or_in_none(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)
    kept.may_write.clear()
    kept.is_writing.clear()
    adding = asyncio.create_task(store.add(SPACE, [face(1_000, VECTORS[0])]))
    await kept.is_writing.wait()

    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    kept.may_write.set()
    await store.add(SPACE, [])  # behind it

    assert await kept.count(SPACE) == 601
    assert "photo 1000" in await found_photos(store, VECTORS[0])


async def test_an_addition_that_is_not_finished_at_the_end_is_finished_first(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)
    kept.may_write.clear()
    kept.is_writing.clear()
    adding = asyncio.create_task(store.add(SPACE, [face(1_000, VECTORS[0])]))
    await kept.is_writing.wait()

    closing = asyncio.create_task(store.close())
    kept.may_write.set()
    await asyncio.gather(adding, closing)

    assert await kept.count(SPACE) == 601


async def test_a_removal_behind_an_addition_of_the_same_revision_leaves_nothing(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)
    late = face(1_000, VECTORS[0])
    kept.may_write.clear()
    kept.is_writing.clear()
    adding = asyncio.create_task(store.add(SPACE, [late]))
    await kept.is_writing.wait()

    removing = asyncio.create_task(store.remove_revisions([late.revision]))
    kept.may_write.set()
    await asyncio.gather(adding, removing)

    assert await kept.count(SPACE) == 600
    assert "photo 1000" not in await found_photos(store, VECTORS[0])


async def test_pages_of_one_search_come_from_one_order_whatever_else_is_searched(
    store: ResidentVectorStore,
) -> None:
    await store.open_space(SPACE, DIM)

    async def ids(probe: int, limit: int) -> list[tuple[str, float]]:
        hits = await store.search(SPACE, VECTORS[probe], within=None, limit=limit, minimum_score=-1)
        return [(hit.face_id, hit.score) for hit in hits]

    alone = await ids(0, 600)
    for company in (1, 7, 40):
        together = await asyncio.gather(*(ids(n, 300 + n) for n in range(company)))
        assert together[0] == alone[:300]


async def test_scans_and_fetches_tell_what_is_kept(store: ResidentVectorStore, kept: Kept) -> None:
    await store.open_space(SPACE, DIM)
    await MemoryVectorStore.remove_revisions(kept, [FACES[0].revision])  # behind its back

    keys: list[FaceKey] = [key async for page in store.scan(SPACE) for key in page]

    assert len(keys) == 599
    assert await store.fetch(SPACE, [FACES[0].face_id]) == []


async def test_what_is_in_memory_is_told_without_reading_it_again(
    store: ResidentVectorStore, kept: Kept
) -> None:
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, [face(900, VECTORS[0])])
    await store.remove_revisions([FACES[1].revision])
    asked = [FACES[0].face_id, FACES[1].face_id, face(900, VECTORS[0]).face_id, FaceId("no")]
    kept.is_away = True

    assert await store.in_memory(SPACE, asked) == {asked[0], asked[2]}


async def test_of_a_space_that_is_not_in_memory_it_is_told_what_is_kept(
    store: ResidentVectorStore,
) -> None:
    assert await store.in_memory(SPACE, [FACES[0].face_id, FaceId("no")]) == {FACES[0].face_id}


async def test_the_arrays_of_the_caller_are_its_own(store: ResidentVectorStore) -> None:
    await store.open_space(SPACE, DIM)
    mine = VECTORS[0].copy()
    adding = asyncio.create_task(store.add(SPACE, [face(1_000, mine)]))
    await asyncio.sleep(0)

    mine[:] = VECTORS[1]
    await adding

    (stored,) = await store.fetch(SPACE, [face(1_000, mine).face_id])
    np.testing.assert_array_equal(stored.embedding, VECTORS[0])
