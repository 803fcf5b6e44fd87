"""Rectangles, and which face is meant by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.use_cases.boxes import best_match, grown, holds_centre, iou, overlaps_photo
from storage.records.model import Box

edges = st.floats(-1000, 1000, allow_nan=False)
sides = st.floats(0.5, 1000, allow_nan=False)
boxes = st.builds(Box, edges, edges, sides, sides)


def same(box: Box) -> Box:
    return box


@given(boxes, boxes)
def test_overlap_is_between_0_and_1_and_the_same_both_ways(one: Box, other: Box) -> None:
    assert 0.0 <= iou(one, other) <= 1.0 + 1e-9
    assert iou(one, other) == pytest.approx(iou(other, one))


@given(boxes)
def test_a_box_overlaps_itself_wholly_and_its_distant_copy_not_at_all(box: Box) -> None:
    assert iou(box, box) == pytest.approx(1.0, rel=1e-3)
    assert iou(box, Box(box.x + 2 * box.width, box.y, box.width, box.height)) == 0.0


@given(boxes, st.floats(0, 2))
def test_a_grown_box_holds_what_it_held(box: Box, fraction: float) -> None:
    larger = grown(box, fraction)
    assert holds_centre(larger, box)
    assert larger.width >= box.width
    assert larger.height >= box.height


def test_half_a_box_overlaps_by_half() -> None:
    assert iou(Box(0, 0, 10, 10), Box(0, 0, 10, 5)) == pytest.approx(0.5)


def test_the_face_with_the_highest_overlap_is_meant_and_none_below_the_minimum() -> None:
    wanted = Box(0, 0, 10, 10)
    far, near = Box(6, 0, 10, 10), Box(1, 0, 10, 10)
    assert best_match(wanted, [far, near], same, 0.3) is near
    assert best_match(wanted, [far], same, 0.3) is None
    assert best_match(wanted, [], same, 0.3) is None


@pytest.mark.parametrize(
    ("box", "is_on_it"),
    [
        (Box(-5, -5, 10, 10), True),
        (Box(99, 49, 10, 10), True),
        (Box(100, 0, 10, 10), False),
        (Box(0, 50, 10, 10), False),
        (Box(-10, 0, 10, 10), False),
    ],
)
def test_a_box_that_only_touches_the_photo_is_not_on_it(box: Box, is_on_it: bool) -> None:
    assert overlaps_photo(box, 100, 50) is is_on_it
