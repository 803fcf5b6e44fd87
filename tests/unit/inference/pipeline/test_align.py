from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from inference.errors import InvalidLandmarks
from inference.pipeline.align import TEMPLATE, align, similarity
from inference.pipeline.faces import FloatArray, Photo


def turned(degrees: float, scale: float, x: float, y: float) -> FloatArray:
    """The template, turned, scaled and moved."""
    angle = np.radians(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(TEMPLATE @ linear.T + [x, y], dtype=np.float32)


@given(st.floats(-180, 180), st.floats(0.05, 30), st.floats(-3000, 3000), st.floats(-3000, 3000))
def test_a_similar_face_lands_on_the_template(
    degrees: float, scale: float, x: float, y: float
) -> None:
    points = turned(degrees, scale, x, y)

    matrix = similarity(points, TEMPLATE)

    landed = points @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(landed - TEMPLATE).max() < 0.05


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=5, max_size=5))
def test_it_is_the_transform_of_scikit_image(points: list[tuple[float, float]]) -> None:
    source = np.array(points, dtype=np.float32)
    deviations = source - source.mean(axis=0)
    # Nearly on one line or turned inside out, both solutions are equally good or bad.
    covariance = deviations.T @ (TEMPLATE - TEMPLATE.mean(axis=0))
    singular = np.linalg.svd(covariance, compute_uv=False)
    if singular[1] < 0.05 * singular[0] or np.linalg.det(covariance) <= 0:
        return

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs = SimilarityTransform()  # type: ignore[no-untyped-call]  # it has no types
        assert theirs.estimate(source, TEMPLATE)

    assert np.allclose(similarity(source, TEMPLATE), theirs.params[:2], atol=1e-3)


def test_a_crop_shows_the_face_where_the_template_has_it() -> None:
    pixels = np.zeros((400, 400, 3), dtype=np.uint8)
    landmarks = turned(30, 2.0, 120, 40)
    for x, y in landmarks:
        cv2.circle(pixels, (round(float(x)), round(float(y))), 5, (255, 255, 255), -1)

    crop = align(Photo(pixels, 400, 400), landmarks)

    assert crop.shape == (112, 112, 3)
    for x, y in TEMPLATE:
        assert crop[round(float(y)), round(float(x))].min() > 200
    assert crop[5, 5].max() == 0


def test_outside_of_the_photo_is_black() -> None:
    white = Photo(np.full((100, 100, 3), 255, dtype=np.uint8), 100, 100)

    crop = align(white, turned(0, 1.0, -60, 0))

    assert crop[50, 20].tolist() == [0, 0, 0]
    assert crop[50, 90].tolist() == [255, 255, 255]


def test_a_photo_at_half_scale_gives_the_same_crop() -> None:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    small = np.asarray(cv2.resize(coarse, (200, 200)), dtype=np.uint8)
    large = np.asarray(cv2.resize(small, (400, 400)), dtype=np.uint8)
    landmarks = turned(10, 2.5, 60, 50)

    whole = align(Photo(large, 400, 400), landmarks)
    half = align(Photo(small, 400, 400, reduction=2), landmarks)

    assert np.abs(whole.astype(int) - half).mean() < 3


@pytest.mark.parametrize(
    "landmarks",
    [
        np.full((5, 2), 10.0),
        np.full((5, 2), np.nan),
        np.full((5, 2), np.inf),
        np.zeros((4, 2)),
        np.zeros((5, 3)),
    ],
)
def test_points_that_give_no_direction_are_refused(landmarks: FloatArray) -> None:
    photo = Photo(np.zeros((50, 50, 3), dtype=np.uint8), 50, 50)

    with pytest.raises(InvalidLandmarks):
        align(photo, landmarks.astype(np.float32))


@pytest.mark.parametrize("far", [1e6, 1e20, 3e38])
def test_points_far_outside_give_black_or_are_refused(far: float) -> None:
    photo = Photo(np.full((50, 50, 3), 255, dtype=np.uint8), 50, 50)
    landmarks = (TEMPLATE * np.float32(far / 100)).astype(np.float32)

    try:
        crop = align(photo, landmarks)
    except InvalidLandmarks:
        return
    assert crop.shape == (112, 112, 3)
