"""The gallery: rows that come, go and move, and exact answers about them."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.identity import FaceId, PhotoKey, RevisionId
from storage.vectors.gallery import BLOCK_ROWS, Gallery, Query
from storage.vectors.port import Embedding, FaceKey
from tests.unit.storage.vectors.faces import key, random_units

DIM = 8
ROWS = BLOCK_ROWS * 2 + 300


def query(probe: Embedding, **changes: object) -> Query:
    whole = {"within": None, "limit": 100, "minimum_score": -1.0, "excluding": ()}
    return Query(probe, **{**whole, **changes})  # type: ignore[arg-type]  # a test's shorthand


def filled(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Gallery:
    """Every hundredth face in the collection "few", the others in "many"."""
    gallery = Gallery(vectors.shape[1])
    keys = [key(n, collection="many" if n % 100 else "few") for n in range(len(vectors))]
    for start in range(0, len(keys), 1_000):
        gallery.put(keys[start : start + 1_000], vectors[start : start + 1_000])
    return gallery


def test_an_answer_over_several_blocks_is_what_double_precision_gives() -> None:
    vectors = random_units(ROWS, DIM)
    gallery = filled(vectors)
    probes = random_units(5, DIM, seed=1)

    answers = gallery.search([query(probe) for probe in probes])

    for probe, hits in zip(probes, answers, strict=True):
        scores = vectors.astype(np.float64) @ probe.astype(np.float64)
        np.testing.assert_allclose(
            [hit.score for hit in hits], np.sort(scores)[::-1][:100], atol=1e-6
        )
        for hit in hits:
            assert abs(scores[int(hit.photo.photo_id.split()[1])] - hit.score) < 1e-6


def test_a_face_has_the_same_score_however_it_was_reached() -> None:
    gallery = filled(random_units(ROWS, DIM))
    probe, other = random_units(2, DIM, seed=2)
    everything = query(probe, limit=ROWS)

    (alone,) = gallery.search([everything])
    together = gallery.search([query(other), everything, query(other)])[1]
    (gathered,) = gallery.search([query(probe, within=frozenset({"few"}), limit=ROWS)])

    assert together == alone
    assert gathered == [hit for hit in alone if hit.photo.collection_id == "few"]
    assert len(gathered) == len(range(0, ROWS, 100))


def test_a_row_takes_at_most_a_fifth_more_than_its_vector() -> None:
    count = 2 * BLOCK_ROWS
    vectors = random_units(1_024, 512)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        gallery = Gallery(512)
        for start in range(0, count, len(vectors)):
            gallery.put([key(start + n, photo=f"photo {start + n}") for n in range(1_024)], vectors)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert len(gallery) == count
    assert taken <= 1.2 * count * vectors[0].nbytes


def test_blocks_are_given_back_when_their_rows_are_gone() -> None:
    vectors = random_units(4 * BLOCK_ROWS, 64)
    tracemalloc.start()
    try:
        gallery = filled(vectors)
        full = tracemalloc.get_traced_memory()[0]
        gallery.remove_revisions([key(n).revision for n in range(len(vectors) - 10)])
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert len(gallery) == 10
    assert left < 0.6 * full


def test_a_known_face_is_left_alone_when_asked_to() -> None:
    gallery = Gallery(DIM)
    first, second = random_units(2, DIM)
    gallery.put([key(1)], first[None])

    gallery.put([key(1, photo="another"), key(2)], np.stack([second, second]), replace=False)

    (hits,) = gallery.search([query(first)])
    assert [hit.photo.photo_id for hit in hits] == ["photo 1", "photo 2"]


faces = st.builds(
    lambda face, photo, revision: FaceKey(
        FaceId(f"f_{revision}_{face}"), PhotoKey("ab"[photo % 2], f"p{photo}"), RevisionId(revision)
    ),
    face=st.integers(0, 4),
    photo=st.integers(0, 5),
    revision=st.sampled_from(["r1", "r2", "r_3"]),
)
odd_faces = st.builds(
    FaceKey,
    face_id=st.sampled_from([FaceId("x"), FaceId("f_r1_"), FaceId("ab_r2_9")]),
    photo=st.just(PhotoKey("", "p")),
    revision=st.sampled_from([RevisionId("r1"), RevisionId("other")]),
)
revisions = st.sampled_from([RevisionId(each) for each in ("r1", "r2", "r_3", "other", "no")])
# Each step puts faces or removes revisions.
steps_of_change = st.lists(
    st.tuples(st.lists(faces | odd_faces, max_size=6), st.frozensets(revisions, max_size=3)),
    max_size=12,
)


@settings(deadline=None)
@given(steps_of_change)
def test_after_any_changes_the_gallery_holds_what_a_dictionary_would(
    steps: list[tuple[list[FaceKey], frozenset[RevisionId]]],
) -> None:
    gallery = Gallery(DIM)
    model: dict[FaceId, tuple[FaceKey, Embedding]] = {}
    vectors = iter(random_units(200, DIM))

    for keys, gone in steps:
        matrix = np.array([next(vectors) for _ in keys], np.float32).reshape(-1, DIM)
        gallery.put(keys, matrix)
        model |= {each.face_id: (each, row) for each, row in zip(keys, matrix, strict=True)}
        gallery.remove_revisions(gone)
        model = {name: each for name, each in model.items() if each[0].revision not in gone}

    probe = random_units(1, DIM, seed=3)[0]
    (hits,) = gallery.search([query(probe)])
    assert len(gallery) == len(model) == len(hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        face, vector = model[hit.face_id]
        assert (hit.photo, hit.revision) == (face.photo, face.revision)
        assert abs(hit.score - float(vector.astype(np.float64) @ probe.astype(np.float64))) < 1e-6
