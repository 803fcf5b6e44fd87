"""What every vector store must do, each adapter in turn."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.errors import StoreMisconfigured
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_lite_open import open_lite
from storage.vectors.milvus_server import MilvusServer
from storage.vectors.port import (
    MAX_LIMIT,
    Collections,
    Embedding,
    FaceKey,
    FaceVector,
    Hit,
    VectorStore,
)
from storage.vectors.resident import ResidentVectorStore
from tests.contract.milvus_flushed import FlushedMilvus
from tests.contract.milvus_process import MilvusProcess
from tests.unit.storage.vectors.faces import random_units

SPACE = SpaceId("space_1")
OTHER_SPACE = SpaceId("space_2")
DIM = 4
# Unit vectors whose products are exact in float32 in whatever order they are summed up, with ties.
EXACT: list[Embedding] = [
    *(np.array(row, np.float32) for row in np.eye(DIM, dtype=np.float32)),
    *(np.array(signs, np.float32) for signs in itertools.product((0.5, -0.5), repeat=DIM)),
]
# Different ones: identical vectors tie, and a graph of many of them is not walked as a whole.
DISTINCT = random_units(3_000, DIM)
HOSTILE = [
    'x" or photo_id != "',
    "a'b",
    "\\",
    '\\"',
    'ends with \\" or face_id != \\"',
    "%",
    "50% _",
    "{name}",
    "😀",
    "line\nline\r\ttab",
    "\u2028",
    "\x00\x01\x7f",
    "a/../b",
    "..",
    "\\n",
    "\\u0041",
]
_relaxed = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusProcess]:
    with MilvusProcess(tmp_path_factory.mktemp("milvus") / "data") as process:
        yield process


STORES = ["memory", "resident over memory", "lite", "resident over lite", "server"]
# For what is refused before an engine is asked, and for ties: which of many identical vectors are
# found is up to the graph.
without_index = pytest.mark.parametrize("store", STORES, indirect=True)


@pytest.fixture(params=[*STORES, "server, HNSW, flushed"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    opened: VectorStore
    match request.param:
        case "memory":
            opened = MemoryVectorStore()
        case "resident over memory":
            opened = ResidentVectorStore(MemoryVectorStore())
        case "lite":
            opened = await open_lite(tmp_path / "new" / "vectors.db")
        case "resident over lite":
            opened = ResidentVectorStore(await open_lite(tmp_path / "vectors.db"))
        case "server, HNSW, flushed":
            url = request.getfixturevalue("milvus").url
            opened = FlushedMilvus(MilvusServer(url, token="", timeout_seconds=30))
        case _:
            url = request.getfixturevalue("milvus").url
            opened = MilvusVectorStore(MilvusServer(url, token="", timeout_seconds=30))
    for left in await opened.spaces():
        await opened.drop_space(left)
    await opened.open_space(SPACE, DIM)
    yield opened
    await opened.close()


def face(
    number: int,
    *,
    photo: PhotoKey | None = None,
    embedding: Embedding = EXACT[0],
    revision: str | None = None,
) -> FaceVector:
    named = RevisionId(revision or f"{number:026d}")
    key = photo or PhotoKey("c", f"photo {number}")
    return FaceVector(FaceId(f"f_{named}_{number}"), key, named, embedding)


async def search(
    store: VectorStore,
    probe: Embedding = EXACT[0],
    *,
    space: SpaceId = SPACE,
    within: Collections = None,
    limit: int = 100,
    minimum_score: float = -1.0,
    excluding: Sequence[PhotoKey] = (),
) -> Sequence[Hit]:
    return await store.search(
        space,
        probe,
        within=within,
        limit=limit,
        minimum_score=minimum_score,
        excluding=excluding,
    )


async def scanned(store: VectorStore, space: SpaceId = SPACE) -> list[FaceKey]:
    return [key async for page in store.scan(space) for key in page]


async def empty(store: VectorStore) -> None:
    await store.remove_revisions([key.revision for key in await scanned(store)])
    assert await store.count(SPACE) == 0


async def test_an_added_face_is_found_with_its_names_and_its_score(store: VectorStore) -> None:
    near = face(1, photo=PhotoKey("", "p"), embedding=EXACT[0])
    far = face(2, embedding=EXACT[1])

    await store.add(SPACE, [near, far])

    assert await search(store) == [
        Hit(near.face_id, PhotoKey("", "p"), near.revision, 1.0),
        Hit(far.face_id, far.photo, far.revision, 0.0),
    ]
    assert await store.count(SPACE) == 2


async def test_a_known_face_is_replaced_wherever_it_was(store: VectorStore) -> None:
    await store.add(SPACE, [face(1, revision="r", photo=PhotoKey("a", "p"))])

    await store.add(
        SPACE,
        [
            face(1, revision="r", photo=PhotoKey("a", "never seen"), embedding=EXACT[2]),
            face(1, revision="r", photo=PhotoKey("b", "q"), embedding=EXACT[1]),
        ],
    )

    (only,) = await search(store, EXACT[1])
    assert (only.photo, only.score) == (PhotoKey("b", "q"), 1.0)
    assert await search(store, within=frozenset({"a"})) == []
    assert await store.count(SPACE) == 1
    assert len(await scanned(store)) == 1


@without_index
async def test_an_addition_of_nothing_is_fine(store: VectorStore) -> None:
    await store.add(SPACE, [])

    assert await store.count(SPACE) == 0


@without_index
@pytest.mark.parametrize(
    "embedding",
    [
        pytest.param(np.array([np.nan, 0, 0, 1], np.float32), id="not a number"),
        pytest.param(np.array([np.inf, 0, 0, 0], np.float32), id="infinite"),
        pytest.param(np.zeros(DIM, np.float32), id="zero"),
        pytest.param(EXACT[0] * np.float32(1.01), id="too long"),
        pytest.param(np.full(DIM, 3e38, np.float32), id="overflows"),
        pytest.param(np.array([1, 0, 0], np.float32), id="another dim"),
        pytest.param(np.array([[1, 0, 0, 0]], np.float32), id="a matrix"),
    ],
)
async def test_a_bad_embedding_is_refused_and_nothing_of_the_call_stored(
    store: VectorStore, embedding: Embedding
) -> None:
    with pytest.raises(ValueError, match="embedding"):
        await store.add(SPACE, [face(1), face(2, embedding=embedding), face(3)])
    with pytest.raises(ValueError, match="probe"):
        await search(store, embedding)

    assert await store.count(SPACE) == 0
    assert await scanned(store) == []


@without_index
@pytest.mark.parametrize(
    ("face_id", "photo_id", "revision"),
    [("", "p", "r"), ("f", "", "r"), ("f", "p", ""), ("f", "\ud800", "r"), ("f", "p" * 513, "r")],
)
async def test_a_key_that_is_empty_or_no_text_or_too_long_is_refused(
    store: VectorStore, face_id: str, photo_id: str, revision: str
) -> None:
    bad = FaceVector(FaceId(face_id), PhotoKey("c", photo_id), RevisionId(revision), EXACT[0])

    with pytest.raises(ValueError, match="must be text"):
        await store.add(SPACE, [face(1), bad])

    assert await store.count(SPACE) == 0


@without_index
@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_range_is_refused(store: VectorStore, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        await search(store, limit=limit)


@without_index
async def test_a_threshold_that_is_no_number_is_refused(store: VectorStore) -> None:
    with pytest.raises(ValueError, match="minimum_score"):
        await search(store, minimum_score=float("nan"))


async def test_the_largest_limit_is_taken(store: VectorStore) -> None:
    await store.add(SPACE, [face(1)])

    assert len(await search(store, limit=MAX_LIMIT)) == 1


async def test_an_unknown_or_empty_space_answers_with_nothing(store: VectorStore) -> None:
    for space in (SPACE, SpaceId("nobody")):
        assert await search(store, space=space) == []
        assert await store.count(space) == 0
        assert await scanned(store, space) == []
        assert await store.fetch(space, [FaceId("f")]) == []
    await store.drop_space(SpaceId("nobody"))


@without_index
async def test_an_addition_to_a_space_that_is_not_open_is_refused(store: VectorStore) -> None:
    with pytest.raises(ValueError, match="not open"):
        await store.add(SpaceId("nobody"), [face(1)])


@without_index
@pytest.mark.parametrize("space", ["", "1abc", "a-b", 'a"b', "a b", "a" * 256])
async def test_a_name_that_no_space_can_have_is_refused(store: VectorStore, space: str) -> None:
    with pytest.raises(ValueError, match="space id"):
        await store.open_space(SpaceId(space), DIM)


async def test_a_space_is_opened_again_as_it_was_but_not_with_another_dim(
    store: VectorStore,
) -> None:
    await store.add(SPACE, [face(1)])

    await store.open_space(SPACE, DIM)
    with pytest.raises(StoreMisconfigured, match="dim"):
        await store.open_space(SPACE, DIM + 1)

    assert len(await search(store)) == 1


async def test_spaces_are_kept_apart_and_named_in_order(store: VectorStore) -> None:
    await store.open_space(OTHER_SPACE, DIM)
    await store.add(SPACE, [face(1)])

    assert await store.spaces() == [SPACE, OTHER_SPACE]
    assert await search(store, space=OTHER_SPACE) == []


async def test_a_dropped_space_is_gone_and_can_be_made_anew_with_another_dim(
    store: VectorStore,
) -> None:
    await store.add(SPACE, [face(1)])

    await store.drop_space(SPACE)

    assert await store.spaces() == []
    assert await search(store) == []
    await store.open_space(SPACE, 2)
    unit = np.array([0, 1], np.float32)
    await store.add(SPACE, [face(2, embedding=unit)])
    assert [hit.face_id for hit in await search(store, unit)] == [face(2).face_id]


async def test_revisions_are_removed_from_every_space_and_may_be_unknown(
    store: VectorStore,
) -> None:
    await store.open_space(OTHER_SPACE, DIM)
    for space in (SPACE, OTHER_SPACE):
        await store.add(space, [face(1, revision="gone"), face(2, revision="gone")])
        await store.add(space, [face(3, revision="stays")])
    many = [RevisionId(f"unknown {number}") for number in range(1_100)]

    for _ in range(2):
        await store.remove_revisions(
            [*many, RevisionId("gone"), RevisionId(""), RevisionId("\ud800"), RevisionId("x" * 99)]
        )
        for space in (SPACE, OTHER_SPACE):
            assert [hit.revision for hit in await search(store, space=space)] == ["stays"]
            assert await store.count(space) == 1
    await store.remove_revisions([])


async def test_every_face_is_scanned_and_fetched_as_it_was_added(store: VectorStore) -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((2_300, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    added = {face(n).face_id: face(n, embedding=vector) for n, vector in enumerate(vectors)}

    await store.add(SPACE, list(added.values()))

    keys = await scanned(store)
    assert len(keys) == await store.count(SPACE) == len(added)
    assert {key.face_id: key for key in keys} == {
        face_id: FaceKey(face_id, each.photo, each.revision) for face_id, each in added.items()
    }
    fetched = await store.fetch(SPACE, [*added, FaceId("unknown"), FaceId(""), FaceId("\ud800")])
    assert len(fetched) == len(added)
    for each in fetched:
        wanted = added[each.face_id]
        assert (each.photo, each.revision) == (wanted.photo, wanted.revision)
        assert each.embedding.dtype == np.float32
        np.testing.assert_array_equal(each.embedding, wanted.embedding)


async def test_a_long_list_of_photos_is_passed_over(store: VectorStore) -> None:
    photos = [PhotoKey("ab"[n % 2], str(n)) for n in range(3_000)]
    faces = [face(n, photo=photo, embedding=DISTINCT[n]) for n, photo in enumerate(photos)]
    await store.add(SPACE, faces)
    excluded = [PhotoKey("ab"[n % 2], str(n)) for n in range(2_999)]

    assert [hit.photo for hit in await search(store, excluding=excluded)] == [PhotoKey("b", "2999")]
    # The same photo_id in the other collection is another photo.
    swapped = [PhotoKey("ba"[n % 2], str(n)) for n in range(3_000)]
    assert len(await search(store, excluding=swapped, limit=5_000)) == 3_000


async def test_photos_of_many_collections_are_passed_over(store: VectorStore) -> None:
    await store.add(SPACE, [face(n, photo=PhotoKey(f"c{n}", "p")) for n in range(600)])
    excluded = [PhotoKey(f"c{n}", "p") for n in range(599)]

    assert [hit.photo.collection_id for hit in await search(store, excluding=excluded)] == ["c599"]


@without_index
async def test_ties_are_in_the_order_of_their_names_also_at_the_limit(store: VectorStore) -> None:
    photos = [PhotoKey(c, p) for p in ("Z", "a", "é", "😀") for c in ("", "B", "a")]
    faces = [face(n, photo=photos[n % len(photos)]) for n in range(120)]

    await store.add(SPACE, faces[::-1])

    wanted = sorted(
        faces, key=lambda each: (each.photo.photo_id, each.photo.collection_id, each.face_id)
    )
    for limit in (1, 7, 119, 120, 500):
        hits = await search(store, limit=limit)
        assert [hit.face_id for hit in hits] == [each.face_id for each in wanted[:limit]]


async def test_additions_at_once_all_arrive(store: VectorStore) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(40):
            tasks.create_task(store.add(SPACE, [face(number, embedding=DISTINCT[number])]))

    assert await store.count(SPACE) == 40
    assert len(await search(store)) == 40


async def test_what_the_caller_does_to_its_arrays_afterwards_changes_nothing(
    store: VectorStore,
) -> None:
    mine = EXACT[0].copy()
    await store.add(SPACE, [face(1, embedding=mine)])

    mine[:] = EXACT[1]

    assert (await search(store))[0].score == 1.0


async def test_names_of_the_greatest_length_are_kept(store: VectorStore) -> None:
    longest = "😀" * 128

    await store.add(SPACE, [face(1, photo=PhotoKey(longest, longest))])

    assert [hit.photo for hit in await search(store)] == [PhotoKey(longest, longest)]


async def test_ids_that_are_not_of_our_making_work_too(store: VectorStore) -> None:
    odd = [
        FaceVector(FaceId(f'{n}"\\_{n}'), PhotoKey("c", str(n)), RevisionId(f'r"{n}\\'), EXACT[0])
        for n in range(3)
    ]
    await store.add(SPACE, odd)

    assert {hit.revision for hit in await search(store)} == {each.revision for each in odd}
    assert len(await store.fetch(SPACE, [each.face_id for each in odd])) == 3
    await store.remove_revisions([odd[0].revision])
    assert {key.face_id for key in await scanned(store)} == {each.face_id for each in odd[1:]}


async def test_a_store_answers_a_ping_and_can_be_closed_twice(store: VectorStore) -> None:
    await store.ping()
    await store.close()
    await store.close()


names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
)


@_relaxed
@given(own=names, other=names)
@example(own='x" or photo_id != "', other="x")
@example(own="a\\", other='a\\" or 1 == 1')
async def test_a_name_is_found_again_and_never_another_whatever_is_in_it(
    store: VectorStore, own: str, other: str
) -> None:
    if own == other:
        other += "x" if len(other) < 128 else ""
    await empty(store)
    photos = [PhotoKey(own, own), PhotoKey(other, own), PhotoKey(own, other)]
    faces = [face(n, photo=photo) for n, photo in enumerate(dict.fromkeys(photos))]

    await store.add(SPACE, faces)

    found = await search(store, within=frozenset({own}))
    assert {hit.photo for hit in found} == {photo for photo in photos if photo.collection_id == own}
    rest = await search(store, excluding=[PhotoKey(own, own)])
    assert {hit.photo for hit in rest} == set(photos) - {PhotoKey(own, own)}


@st.composite
def galleries(draw: st.DrawFn) -> list[FaceVector]:
    """Faces with ties, several to a photo, in a few collections and revisions."""
    count = draw(st.integers(0, 40))
    return [
        face(
            number,
            photo=PhotoKey(
                draw(st.sampled_from(["", "a", "b"])), draw(st.sampled_from(["p", "q", "P", "é"]))
            ),
            embedding=EXACT[draw(st.integers(0, len(EXACT) - 1))],
            revision=f"r{draw(st.integers(0, 5))}",
        )
        for number in range(count)
    ]


some_photos = st.lists(
    st.builds(
        PhotoKey, st.sampled_from(["", "a", "b"]), st.sampled_from(["p", "q", "?", "\ud800"])
    ),
    max_size=4,
)


def brute_force(
    faces: Sequence[FaceVector],
    probe: Embedding,
    within: Collections,
    limit: int,
    minimum_score: float,
    excluding: Sequence[PhotoKey],
) -> list[Hit]:
    hits = []
    for each in faces:
        score = sum(float(a) * float(b) for a, b in zip(each.embedding, probe, strict=True))
        is_within = within is None or each.photo.collection_id in within
        if is_within and each.photo not in excluding and score >= minimum_score:
            hits.append(Hit(each.face_id, each.photo, each.revision, score))
    hits.sort(key=lambda hit: hit.face_id)
    hits.sort(key=lambda hit: (hit.photo.photo_id, hit.photo.collection_id))
    hits.sort(key=lambda hit: hit.score, reverse=True)
    return hits[:limit]


@_relaxed
@given(
    faces=galleries(),
    probe=st.sampled_from(EXACT),
    within=st.none() | st.frozensets(st.sampled_from(["", "a", "b", "none", "\ud800"])),
    limit=st.integers(1, 45),
    minimum_score=st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5]),
    excluding=some_photos,
    gone=st.frozensets(st.sampled_from(["r0", "r1", "r2", "never"])),
)
async def test_an_answer_is_what_brute_force_gives(
    store: VectorStore,
    faces: list[FaceVector],
    probe: Embedding,
    within: Collections,
    limit: int,
    minimum_score: float,
    excluding: list[PhotoKey],
    gone: frozenset[str],
) -> None:
    await empty(store)
    await store.add(SPACE, faces)

    async def answer() -> Sequence[Hit]:
        return await search(
            store,
            probe,
            within=within,
            limit=limit,
            minimum_score=minimum_score,
            excluding=excluding,
        )

    assert await answer() == brute_force(faces, probe, within, limit, minimum_score, excluding)
    await store.remove_revisions([RevisionId(each) for each in gone])
    left = [each for each in faces if each.revision not in gone]
    assert await answer() == brute_force(left, probe, within, limit, minimum_score, excluding)
    assert await store.count(SPACE) == len(left)


async def test_the_flushed_store_is_searched_by_its_index(milvus: MilvusProcess) -> None:
    store = FlushedMilvus(MilvusServer(milvus.url, token="", timeout_seconds=30))
    for left in await store.spaces():
        await store.drop_space(left)
    await store.open_space(SPACE, DIM)

    await store.add(SPACE, [face(n, embedding=EXACT[n % len(EXACT)]) for n in range(50)])

    assert [each.name for each in milvus.folder.rglob("*.hnsw.idx")]
    assert len(await search(store)) == 50
    await store.close()
