from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.pipeline.align import TEMPLATE, align
from inference.pipeline.decode import decode
from inference.pipeline.detect import Detector
from inference.pipeline.faces import DecodeLimits, FloatArray, Quality
from inference.pipeline.letterbox import letterbox
from inference.pipeline.quality import assess, pose_of, sharpness_of

LIMITS = DecodeLimits(20 << 20, 50_000_000)
BOX = np.array([0, 0, 112, 112], dtype=np.float32)
SMALL_BOX = np.array([0, 0, 28, 28], dtype=np.float32)
NOISE = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def turned(degrees: float) -> FloatArray:
    """The template, turned clockwise in the picture."""
    angle = np.radians(degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(TEMPLATE @ linear.T, dtype=np.float32)


def with_nose(right: float, up: float) -> FloatArray:
    points = TEMPLATE.copy()
    points[2] += (right, -up)
    return points


def test_the_template_looks_straight_ahead() -> None:
    yaw, pitch, roll = pose_of(TEMPLATE)

    assert abs(yaw) < 3
    assert abs(pitch) < 5
    assert abs(roll) < 1


@given(st.floats(-179, 179))
def test_roll_is_how_far_the_head_is_turned_clockwise(degrees: float) -> None:
    yaw, pitch, roll = pose_of(turned(degrees))

    assert abs((roll - degrees + 180) % 360 - 180) < 1
    assert abs(yaw) < 3
    assert abs(pitch) < 5


def test_a_nose_to_the_right_looks_right_and_a_high_nose_looks_up() -> None:
    assert pose_of(with_nose(8, 0))[0] > 15
    assert pose_of(with_nose(-8, 0))[0] < -15
    assert pose_of(with_nose(0, 6))[1] > 10
    assert pose_of(with_nose(0, -6))[1] < -10


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=5, max_size=5))
def test_any_points_give_figures_in_their_ranges(points: list[tuple[float, float]]) -> None:
    quality = assess(BOX, np.array(points, dtype=np.float32), NOISE)

    assert 0 <= quality.overall <= 1
    assert 0 <= quality.sharpness <= 1
    assert -90 <= quality.yaw <= 90
    assert -90 <= quality.pitch <= 90
    assert -180 <= quality.roll <= 180


def test_blur_takes_sharpness_away() -> None:
    blurred = [
        sharpness_of(np.asarray(cv2.GaussianBlur(NOISE, (0, 0), sigma), dtype=np.uint8))
        for sigma in (0.5, 1, 2, 4)
    ]

    assert sharpness_of(NOISE) > 0.9
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[-1] < 0.1


def test_an_even_crop_is_useless() -> None:
    quality = assess(BOX, TEMPLATE, np.full((112, 112, 3), 127, dtype=np.uint8))

    assert quality.sharpness == 0
    assert quality.overall == 0


def test_small_and_turned_faces_are_worse() -> None:
    good = assess(BOX, TEMPLATE, NOISE)

    assert assess(SMALL_BOX, TEMPLATE, NOISE).overall < good.overall
    assert assess(BOX, with_nose(15, 0), NOISE).overall < good.overall
    assert assess(SMALL_BOX, TEMPLATE, NOISE).size == 28


@pytest.mark.pack
def test_poses_on_photos_are_what_a_person_sees(detector: Detector, photos_dir: Path) -> None:
    def quality(name: str) -> Quality:
        photo = decode((photos_dir / name).read_bytes(), LIMITS)
        (found,) = detector.detect([letterbox(photo, 320)])
        return assess(found.boxes[0], found.landmarks[0], align(photo, found.landmarks[0]))

    assert quality("pose_left_face.jpeg").yaw < -30
    assert quality("pose_right_face.png").yaw > 30
    assert quality("pose_rise_face.jpeg").pitch > 15
    assert quality("pose_lower_face.jpeg").pitch < -15
    assert quality("pose_right_wryneck.png").roll > 30
    assert quality("pose_left_wryneck.png").roll < -30
