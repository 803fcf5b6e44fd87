"""Ids of revisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.identity import RevisionId, face_id_of, split_face_id
from storage.records.ids import new_id, new_revision_id

MOMENTS = st.integers(0, 2**48 - 1)


@given(MOMENTS, MOMENTS)
def test_ids_sort_by_time(one: int, other: int) -> None:
    if one < other:
        assert new_id(one) < new_id(other)
    elif one > other:
        assert new_id(one) > new_id(other)


@given(MOMENTS)
def test_an_id_is_26_characters_that_a_face_id_can_hold(moment: int) -> None:
    revision = RevisionId(new_id(moment))
    assert len(revision) == 26
    assert split_face_id(face_id_of(revision, 12)) == (revision, 12)


def test_an_id_begins_with_the_time_as_ulids_do() -> None:
    # The example of https://github.com/ulid/spec in lower case.
    assert new_id(1_469_918_176_385)[:10] == "01aryz6s41"


def test_ids_of_one_moment_differ() -> None:
    assert len({new_revision_id() for _ in range(10_000)}) == 10_000
