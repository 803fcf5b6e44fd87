"""The per-photo search gives exactly what looking at every face gives, whatever the base."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.use_cases.gallery import Gallery
from storage.identity import FaceId, PhotoKey, SpaceId, face_id_of
from storage.records.memory import MemoryRecordStore
from storage.records.model import Box, NewFace, Quality
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.milvus_lite_open import open_lite
from storage.vectors.port import MAX_LIMIT, FaceVector, VectorStore
from storage.vectors.resident import ResidentVectorStore

SPACE = SpaceId("s_exact")
DIM = 4
# Unit vectors whose products are exact in float32 in whatever order they are summed up: −1, −0.5,
# 0, 0.5, 1. So there are ties everywhere, and nothing to tolerate.
VECTORS: list[NDArray[np.float32]] = [
    *np.eye(DIM, dtype=np.float32),
    *(np.array(signs, np.float32) for signs in itertools.product((0.5, -0.5), repeat=DIM)),
]
COLLECTIONS = ["", "a", "b", "é"]
PHOTO_IDS = ["1", "10", "2", "Z", "a", "ä", "一", "😀"]
FACE = NewFace(Box(0, 0, 1, 1), ((0.0, 0.0),) * 5, 0.9, Quality(1, 1, 1, 0, 0, 0))


@dataclass(frozen=True)
class FaceOf:
    """A face of a revision: its vector is stored either way."""

    vector: int
    is_indexed: bool


Revisions = list[list[FaceOf]]

faces = st.builds(
    lambda face, times: [face] * times,
    st.builds(FaceOf, st.integers(0, len(VECTORS) - 1), st.sampled_from([True, True, True, False])),
    st.sampled_from([1, 1, 1, 2, 30]),  # a crowd now and then
)
revisions = st.lists(faces, max_size=4).map(lambda parts: list(itertools.chain(*parts)))
bases = st.dictionaries(
    st.builds(PhotoKey, st.sampled_from(COLLECTIONS), st.sampled_from(PHOTO_IDS)),
    st.lists(revisions, min_size=1, max_size=3),
    max_size=14,
)


@dataclass(frozen=True)
class Question:
    """One search of the gallery."""

    probe: int
    wanted: int
    minimum_score: float
    within: frozenset[str] | None
    max_rows: int


questions = st.builds(
    Question,
    probe=st.integers(0, len(VECTORS) - 1),
    wanted=st.integers(1, 12),
    minimum_score=st.sampled_from([-1.0, -0.25, 0.0, 0.25, 0.5, 1.0]),
    within=st.none() | st.frozensets(st.sampled_from(COLLECTIONS)),
    max_rows=st.sampled_from([1, 2, 3, 7, MAX_LIMIT]),  # small ones stand for an engine's own cap
)

# One photo with a thousand faces before two others; former bytes of a photo that now looks
# different; a removed photo before one that is there.
CROWD = {
    PhotoKey("", "1"): [[FaceOf(0, True)] * 1000],
    PhotoKey("", "2"): [[FaceOf(4, True)]],
    PhotoKey("a", "2"): [[FaceOf(4, True)]],
}
REPLACED = {
    PhotoKey("", "1"): [[FaceOf(0, True)] * 40, [FaceOf(4, True)]],
    PhotoKey("", "2"): [[FaceOf(4, True)]],
}


async def stored(
    base: dict[PhotoKey, Revisions], removed: set[PhotoKey], vectors: VectorStore
) -> tuple[MemoryRecordStore, dict[FaceId, NDArray[np.float32]]]:
    """The records of the base, and every vector ever added; garbage is not collected."""
    records = MemoryRecordStore()
    await vectors.open_space(SPACE, DIM)
    by_face: dict[FaceId, NDArray[np.float32]] = {}
    rows: list[FaceVector] = []
    for photo, history in base.items():
        for number, shown in enumerate(history):
            revision = await records.begin(photo, f"{number:064}", 1)
            for n, face in enumerate(shown):
                face_id = face_id_of(revision.id, n)
                by_face[face_id] = VECTORS[face.vector]
                rows.append(FaceVector(face_id, photo, revision.id, VECTORS[face.vector]))
            await records.commit_staged(revision.id, width=1, height=1, faces=[FACE for _ in shown])
            for n, face in enumerate(shown):
                if face.is_indexed:
                    await records.index_face(face_id_of(revision.id, n), SPACE)
        if photo in removed:
            await records.remove_photo(photo)
    if rows:
        await vectors.add(SPACE, rows)
    return records, by_face


async def by_brute_force(
    records: MemoryRecordStore, by_face: dict[FaceId, NDArray[np.float32]], question: Question
) -> list[tuple[float, PhotoKey, FaceId]]:
    """Every face that may be shown, compared with the probe; the best of each photo, in order."""
    best: dict[PhotoKey, tuple[float, FaceId]] = {}
    async for page in records.indexed_faces(SPACE):
        for revision, face in page:
            photo = revision.photo
            score = float(np.dot(by_face[face.face_id], VECTORS[question.probe]))
            if score < question.minimum_score:
                continue
            if question.within is not None and photo.collection_id not in question.within:
                continue
            row = (-score, face.face_id)
            best[photo] = min(best.get(photo, row), row)
    ranked = sorted(best.items(), key=lambda item: (item[1][0], item[0].photo_id, item[0]))
    return [(-score, photo, face_id) for photo, (score, face_id) in ranked][: question.wanted]


async def compare(
    vectors: VectorStore, base: dict[PhotoKey, Revisions], removed: set[PhotoKey], ask: Question
) -> None:
    records, by_face = await stored(base, removed, vectors)
    matches = await Gallery(vectors, records, ask.max_rows).nearest(
        SPACE,
        VECTORS[ask.probe],
        within=ask.within,
        wanted=ask.wanted,
        minimum_score=ask.minimum_score,
    )
    found = [(match.score, match.photo, match.face_id) for match in matches]
    assert found == await by_brute_force(records, by_face, ask)


everything = Question(probe=0, wanted=3, minimum_score=-1.0, within=None, max_rows=MAX_LIMIT)
capped = Question(probe=0, wanted=3, minimum_score=-1.0, within=None, max_rows=7)
removals = st.sets(st.builds(PhotoKey, st.sampled_from(COLLECTIONS), st.sampled_from(PHOTO_IDS)))


@pytest.mark.parametrize("kind", ["memory", "resident"])
@given(base=bases, removed=removals, ask=questions)
@example(base=CROWD, removed=set(), ask=everything)
@example(base=CROWD, removed=set(), ask=capped)
@example(base=CROWD, removed={PhotoKey("", "1")}, ask=capped)
@example(base=REPLACED, removed=set(), ask=everything)
@example(base=REPLACED, removed=set(), ask=capped)
@settings(deadline=None, max_examples=150)
async def test_the_search_finds_what_brute_force_finds(
    kind: str, base: dict[PhotoKey, Revisions], removed: set[PhotoKey], ask: Question
) -> None:
    memory = MemoryVectorStore()
    vectors: VectorStore = memory if kind == "memory" else ResidentVectorStore(memory)
    try:
        await compare(vectors, base, removed, ask)
    finally:
        await vectors.close()


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[VectorStore]:
    store = await open_lite(tmp_path / "vectors.db")
    yield store
    await store.close()


@pytest.mark.slow
@given(base=bases, removed=removals, ask=questions)
@example(base=CROWD, removed={PhotoKey("", "1")}, ask=capped)
@example(base=REPLACED, removed=set(), ask=capped)
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_the_search_of_milvus_lite_finds_what_brute_force_finds(
    lite: VectorStore, base: dict[PhotoKey, Revisions], removed: set[PhotoKey], ask: Question
) -> None:
    await lite.drop_space(SPACE)
    await compare(lite, base, removed, ask)
