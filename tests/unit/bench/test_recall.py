"""The photos that faces are looked for on, and what counts as found."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.kit.picture_source import Picture
from bench.recall import samples
from bench.recall.matching import Found, recalled
from bench.recall.samples import FACE, Box, Sample

UPRIGHT = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], dtype=np.float32)
ON_ITS_SIDE = np.array([[60, 30], [60, 70], [40, 50], [20, 35], [20, 65]], dtype=np.float32)
"""UPRIGHT after a turn of 90° clockwise."""


@pytest.fixture
def picture() -> Picture:
    """White where LFW has the face."""
    x1, y1, x2, y2 = (int(edge) for edge in FACE)
    made = np.zeros((250, 250, 3), np.uint8)
    made[y1:y2, x1:x2] = 255
    return made


def decoded(sample: Sample) -> Picture:
    pixels = cv2.imdecode(np.frombuffer(sample.data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def brightness(pixels: Picture, box: Box) -> float:
    """Mean of what lies in the box, 0 to 1."""
    x1, y1, x2, y2 = (max(round(edge), 0) for edge in box)
    return float(pixels[y1:y2, x1:x2].mean() / 255)


def test_every_sample_knows_where_its_faces_are(picture: Picture) -> None:
    background = np.zeros((321, 481, 3), np.uint8)
    made = [
        samples.portrait(picture),
        *(samples.turned(picture, degrees) for degrees in (90, 180, 270)),
        *(samples.cropped(picture, tightness) for tightness in (1.3, 0.6)),
        samples.aligned(picture),
        samples.group([picture] * 12, 4),
        samples.crowd([picture] * 12, background, 20),
    ]
    for sample in made:
        pixels = decoded(sample)
        assert min(brightness(pixels, box) for box in sample.boxes) > 0.9
        outside = pixels.copy()
        for x1, y1, x2, y2 in sample.boxes:
            outside[max(int(y1) - 1, 0) : int(y2) + 2, max(int(x1) - 1, 0) : int(x2) + 2] = 0
        assert outside.mean() < 1


def seen(box: Box, landmarks: NDArray[np.float32] = UPRIGHT) -> Found:
    return Found(box, landmarks)


def test_a_face_is_found_once_by_a_box_that_lies_on_it() -> None:
    sample = Sample(b"", [(10, 10, 110, 110), (200, 10, 300, 110)], lean=0)
    on_the_first = seen((20, 10, 120, 110))

    assert recalled(sample, 400, 200, [on_the_first, on_the_first]) == 1
    assert recalled(sample, 400, 200, [on_the_first, seen((190, 0, 290, 100))]) == 2
    assert recalled(sample, 400, 200, [seen((80, 80, 180, 180))]) == 0


def test_landmarks_that_lie_otherwise_than_the_face_are_no_find() -> None:
    box = (10.0, 10.0, 110.0, 110.0)
    upright, on_its_side = Sample(b"", [box], lean=0), Sample(b"", [box], lean=90)

    assert recalled(upright, 200, 200, [seen(box, ON_ITS_SIDE)]) == 0
    assert recalled(on_its_side, 200, 200, [seen(box, ON_ITS_SIDE)]) == 1
    assert recalled(on_its_side, 200, 200, [seen(box, UPRIGHT)]) == 0


def test_what_lies_beyond_the_frame_is_asked_of_nobody() -> None:
    sample = Sample(b"", [(-40, -40, 140, 140)], lean=0)

    assert recalled(sample, 100, 100, [seen((0, 0, 100, 100))]) == 1


def test_where_nobody_knows_the_places_faces_are_counted() -> None:
    assert recalled(Sample(b"", count=2), 100, 100, [seen((0, 0, 9, 9))] * 3) == 2
