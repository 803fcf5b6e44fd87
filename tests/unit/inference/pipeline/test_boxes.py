from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.pipeline.boxes import (
    anchors,
    boxes_from_distances,
    landmarks_from_distances,
    suppress,
)
from inference.pipeline.faces import FloatArray


def rows(count: int) -> st.SearchStrategy[FloatArray]:
    """Boxes (n, 4) of positive extent."""
    return arrays(np.float32, (count, 4), elements=st.integers(1, 60).map(float)).map(
        lambda made: np.concatenate([made[:, :2], made[:, :2] + made[:, 2:]], axis=1)
    )


scored = st.integers(0, 12).flatmap(
    lambda count: st.tuples(
        rows(count), arrays(np.float32, count, elements=st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]))
    )
)


def iou(one: FloatArray, other: FloatArray) -> float:
    """With one pixel more than the difference, as InsightFace counts."""
    shared = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1, 0)
    areas = [float(np.prod(box[2:] - box[:2] + 1)) for box in (one, other)]
    return float(np.prod(shared)) / (sum(areas) - float(np.prod(shared)))


def test_anchors_come_row_by_row_each_cell_twice() -> None:
    points = anchors(64, 32, 2)

    assert points.tolist() == [[0, 0]] * 2 + [[32, 0]] * 2 + [[0, 32]] * 2 + [[32, 32]] * 2
    assert not points.flags.writeable


def test_distances_reach_to_the_four_sides() -> None:
    points = np.array([[100, 50]], dtype=np.float32)

    boxes = boxes_from_distances(points, np.array([[10, 20, 30, 40]], dtype=np.float32))
    landmarks = landmarks_from_distances(points, np.arange(10, dtype=np.float32)[None])

    assert boxes.tolist() == [[90, 30, 130, 90]]
    assert landmarks[0].tolist() == [[100, 51], [102, 53], [104, 55], [106, 57], [108, 59]]


def test_of_two_on_one_place_the_better_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], dtype=np.float32)

    kept = suppress(boxes, np.array([0.6, 0.9, 0.7], dtype=np.float32), 0.4)

    assert kept.tolist() == [1, 2]


def test_of_equal_scores_the_earlier_row_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11]], dtype=np.float32)

    assert suppress(boxes, np.array([0.5, 0.5], dtype=np.float32), 0.4).tolist() == [0]


@given(scored)
def test_what_stays_does_not_overlap_and_what_goes_overlaps_something_better(
    made: tuple[FloatArray, FloatArray],
) -> None:
    boxes, scores = made
    kept = suppress(boxes, scores, 0.4).tolist()

    assert [scores[row] for row in kept] == sorted((scores[row] for row in kept), reverse=True)
    for position, row in enumerate(kept):
        assert all(iou(boxes[row], boxes[other]) <= 0.4 + 1e-6 for other in kept[:position])
    for row in set(range(len(scores))) - set(kept):
        assert any(
            iou(boxes[row], boxes[other]) > 0.4 - 1e-6 and scores[other] >= scores[row]
            for other in kept
        )


@given(scored, st.sampled_from([0.6, 0.7, 0.8]))
def test_a_higher_limit_before_is_the_same_as_one_afterwards(
    made: tuple[FloatArray, FloatArray], limit: float
) -> None:
    boxes, scores = made
    afterwards = [row for row in suppress(boxes, scores, 0.4) if scores[row] >= np.float32(limit)]
    passed = np.flatnonzero(scores >= np.float32(limit))
    before = passed[suppress(boxes[passed], scores[passed], 0.4)]

    assert before.tolist() == afterwards
