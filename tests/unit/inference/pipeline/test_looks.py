from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.pipeline.faces import Counting, Detections
from inference.pipeline.looks import Look, LookPolicy, counted, largest_first

Face = tuple[float, float, float, float, float]
"""x1, y1, x2, y2, score."""


def seen(*faces: Face) -> Detections:
    rows = np.array(faces, dtype=np.float32).reshape(-1, 5)
    centres = (rows[:, None, :2] + rows[:, None, 2:4]) / np.float32(2)
    landmarks = np.repeat(centres, 5, axis=1).astype(np.float32)
    return Detections(rows[:, :4], landmarks, rows[:, 4])


def counts(faces: Sequence[Face], counting: Counting, size: int = 1000) -> list[bool]:
    return [bool(one) for one in counted(seen(*faces), size, size, counting)]


def test_the_looks_begin_with_the_one_that_a_search_needs() -> None:
    assert LookPolicy().sizes == (160, 320, 640)


@pytest.mark.parametrize("size", [0, 32, 100, 321, -64])
def test_a_look_is_a_multiple_of_the_largest_stride(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        Look(size)


def test_a_policy_needs_looks_and_takes_each_once() -> None:
    with pytest.raises(ValueError, match="at least one"):
        LookPolicy(())
    with pytest.raises(ValueError, match="once"):
        LookPolicy((Look(320), Look(320)))


def test_a_detector_of_one_size_is_asked_for_that_size_only() -> None:
    policy = LookPolicy(clear_margin=0.2)

    assert policy.for_fixed_size(None) is policy
    assert policy.for_fixed_size(640) == LookPolicy((Look(640),), clear_margin=0.2)


def test_a_face_that_several_looks_see_is_one_face_the_best_of_them() -> None:
    merged = LookPolicy().merge(
        [
            seen((100, 100, 200, 200, 0.7)),
            seen((102, 101, 203, 202, 0.9), (600, 100, 650, 160, 0.6)),
            seen((98, 99, 199, 198, 0.8)),
        ]
    )

    assert merged.scores.tolist() == pytest.approx([0.9, 0.6])
    assert merged.boxes[0].tolist() == [102, 101, 203, 202]


def test_a_look_with_too_few_pixels_of_a_face_gives_way_to_one_with_enough() -> None:
    coarse, fine = (100, 100, 200, 200, 0.9), (102, 101, 203, 202, 0.7)
    policy = LookPolicy(clear_pixels=48.0)

    both = policy.merge([seen(coarse), seen(fine)], scales=[0.47, 0.94])
    enough = policy.merge([seen(coarse), seen(fine)], scales=[0.48, 0.96])
    alone = policy.merge([seen(coarse), seen()], scales=[0.47, 0.94])

    assert both.boxes.tolist() == [[102, 101, 203, 202]]
    assert enough.boxes.tolist() == [[100, 100, 200, 200]]
    assert alone.boxes.tolist() == [[100, 100, 200, 200]]


def test_looks_that_see_nothing_merge_to_nothing() -> None:
    assert len(LookPolicy().merge([seen(), seen()])) == 0


faces = st.lists(
    st.tuples(
        st.integers(0, 80).map(float),
        st.integers(0, 80).map(float),
        st.integers(5, 60).map(float),
        st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]),
    ).map(lambda made: (made[0], made[1], made[0] + made[2], made[1] + made[2], made[3])),
    max_size=6,
)


@given(st.lists(faces, min_size=1, max_size=3))
def test_merging_twice_changes_nothing(looks: list[list[Face]]) -> None:
    policy = LookPolicy()
    once = policy.merge([seen(*look) for look in looks])
    twice = policy.merge([once])

    assert np.array_equal(once.boxes, twice.boxes)
    assert np.array_equal(once.scores, twice.scores)


def test_a_face_counts_from_a_fraction_of_the_longer_side_on() -> None:
    found = counted(seen((0, 0, 49, 20, 0.9), (100, 100, 110, 150, 0.9)), 1000, 400, Counting())

    assert found.tolist() == [False, True]


def test_a_face_over_the_edge_counts_by_what_lies_inside() -> None:
    three_quarters = (-25.0, 100.0, 75.0, 200.0, 0.9)
    less = (-26.0, 300.0, 74.0, 400.0, 0.9)
    outside = (-300.0, 0.0, -100.0, 200.0, 0.9)

    assert counts([three_quarters, less, outside], Counting()) == [True, False, False]


def test_the_size_that_counts_is_that_inside_the_photo() -> None:
    tall_but_mostly_outside = (100.0, -60.0, 110.0, 40.0, 0.9)

    assert counts([tall_but_mostly_outside], Counting(min_inside=0.0)) == [False]


def test_a_box_without_extent_never_counts() -> None:
    rule = Counting(min_face_fraction=0.0, min_inside=0.0)

    assert counts([(10, 10, 10, 50, 0.9), (50, 50, 40, 60, 0.9)], rule) == [False, False]


def test_prominent_faces_are_nearly_as_large_as_the_largest_and_sure() -> None:
    rule = Counting(prominent_fraction=0.8, prominent_score=0.7)
    largest_but_unsure = (0.0, 0.0, 200.0, 200.0, 0.6)
    nearly = (300.0, 0.0, 460.0, 160.0, 0.7)
    smaller = (500.0, 0.0, 659.0, 159.0, 0.9)
    unsure = (700.0, 0.0, 880.0, 180.0, 0.69)

    found = counts([largest_but_unsure, nearly, smaller, unsure], rule)

    assert found == [True, True, False, False]


def test_prominence_goes_by_the_largest_face_that_counts() -> None:
    rule = Counting(prominent_fraction=0.8)
    huge_but_outside = (-900.0, 0.0, 100.0, 1000.0, 0.9)

    assert counts([huge_but_outside, (500, 500, 600, 600, 0.9)], rule) == [False, True]


def is_clear(*faces: Face, is_single: bool = False) -> bool:
    found = seen(*faces)
    counts = counted(found, 1000, 1000, Counting())
    policy = LookPolicy(clear_margin=0.1)
    return policy.is_clear(found, counts, 0.5, scale=0.32, is_single=is_single)


def test_a_look_is_clear_with_a_sure_face_that_counts() -> None:
    face = (100.0, 100.0, 300.0, 300.0)

    assert is_clear((*face, 0.61))
    assert not is_clear((*face, 0.59))
    assert not is_clear()
    assert not is_clear((0, 0, 20, 20, 0.9))
    assert is_clear((*face, 0.8), (500, 500, 650, 650, 0.8))


def test_two_nearly_equal_faces_are_not_clear_if_the_larger_one_is_wanted() -> None:
    face, nearly_equal = (100.0, 100.0, 300.0, 300.0, 0.8), (500.0, 500.0, 680.0, 680.0, 0.55)
    mostly_outside = (-150.0, 500.0, 30.0, 680.0, 0.8)

    assert not is_clear(face, nearly_equal)
    assert is_clear(face, nearly_equal, is_single=True)
    assert is_clear(face, mostly_outside)


def test_faces_come_largest_first_and_equal_ones_by_score_then_from_the_left() -> None:
    found = largest_first(
        seen(
            (500, 0, 600, 50, 0.8),
            (300, 0, 400, 100, 0.8),
            (0, 0, 50, 100, 0.9),
            (0, 200, 200, 210, 0.5),
        )
    )

    assert found.boxes[:, 0].tolist() == [0, 0, 300, 500]
    assert found.scores.tolist() == pytest.approx([0.5, 0.9, 0.8, 0.8])
    assert len(largest_first(seen())) == 0


def test_a_face_is_clear_only_if_the_finest_look_has_pixels_enough_of_it() -> None:
    policy = LookPolicy(clear_pixels=32.0)
    found = seen((100.0, 100.0, 300.0, 250.0, 0.9))
    counts = counted(found, 1000, 1000, Counting())

    assert policy.is_clear(found, counts, 0.5, scale=32 / 200, is_single=True)
    assert not policy.is_clear(found, counts, 0.5, scale=31 / 200, is_single=True)
