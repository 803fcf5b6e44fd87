"""A face in InsightFace's 112×112 template, by its five points."""

from __future__ import annotations

import math
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidLandmarks
from inference.pipeline.faces import CROP_SIZE, FloatArray, Photo, Pixels

TEMPLATE_NAME = "arcface-112"
"""Part of the embedding space: another template makes other vectors."""

TEMPLATE: FloatArray = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float32,
)
"""Eyes, nose, corners of the mouth in the crop (``insightface.utils.face_align.arcface_dst``)."""

Transform = NDArray[np.float64]
"""(2, 3): linear part and translation."""

MIN_SPREAD = 1e-3
"""Pixels: points nearer to each other than this give no direction and no scale."""


def similarity(source: FloatArray, target: FloatArray) -> Transform:
    """The similarity transform that takes points nearest to others in the least squares.

    source, target: (n, 2). Returns (2, 3): rotation, uniform scale and translation, no reflection
    (Umeyama 1991; in two dimensions it has this closed form). Raises InvalidLandmarks if the points
    of `source` coincide or are not finite.
    """
    # Five points: numbers of Python's take a quarter of the time of arrays.
    from_points, to_points = source.tolist(), target.tolist()
    if not all(map(math.isfinite, chain.from_iterable(from_points))):
        raise InvalidLandmarks("the landmarks are not finite numbers")
    x_mean, y_mean = _mean(from_points)
    u_mean, v_mean = _mean(to_points)
    spread = along = across = 0.0
    for (x, y), (u, v) in zip(from_points, to_points, strict=True):
        x, y, u, v = x - x_mean, y - y_mean, u - u_mean, v - v_mean  # noqa: PLW2901
        spread += x * x + y * y
        along += x * u + y * v
        across += x * v - y * u
    if not math.isfinite(spread) or spread < MIN_SPREAD**2:
        raise InvalidLandmarks("the landmarks lie on one point")
    # As complex numbers the best w ≈ a·z is a = Σ conj(z)·w / Σ |z|².
    real, imaginary = along / spread, across / spread
    return np.array(
        [
            [real, -imaginary, u_mean - real * x_mean + imaginary * y_mean],
            [imaginary, real, v_mean - imaginary * x_mean - real * y_mean],
        ]
    )


def align(photo: Photo, landmarks: FloatArray) -> Pixels:
    """The aligned crop of a face, (112, 112, 3) RGB; black where the photo ends.

    landmarks: (5, 2) in the photo frame. Linear interpolation without a filter, as InsightFace has
    it: recognisers were trained on crops made so. Raises InvalidLandmarks.
    """
    return cut(photo, crop_transform(landmarks))


def cut(photo: Photo, to_crop: Transform) -> Pixels:
    """As `align`; to_crop: what `crop_transform` says of the landmarks. Raises InvalidLandmarks."""
    if photo.reduction > 1:
        to_crop = _from_held(to_crop, photo.reduction)
    if not np.isfinite(to_crop).all():
        raise InvalidLandmarks("the landmarks lie too far away")
    warped = cv2.warpAffine(photo.pixels, to_crop, (CROP_SIZE, CROP_SIZE), borderValue=0.0)
    crop = np.asarray(warped, dtype=np.uint8)
    return crop if photo.to_srgb is None else photo.to_srgb(crop)


def crop_scale(to_crop: Transform) -> float:
    """Pixels of the crop per pixel of the photo frame."""
    return math.hypot(to_crop[0, 0], to_crop[1, 0])


def crop_transform(landmarks: FloatArray) -> Transform:
    """From the photo frame to the crop.

    landmarks: (5, 2) in the photo frame. Raises InvalidLandmarks.
    """
    if landmarks.shape != TEMPLATE.shape:
        raise InvalidLandmarks("a face has exactly five landmarks, each with x and y")
    return similarity(landmarks, TEMPLATE)


def _from_held(to_crop: Transform, reduction: int) -> Transform:
    """The same transform from the pixels held; their centres lie between those of the frame."""
    between = (reduction - 1) / 2
    return np.array(
        [
            [across * reduction, down * reduction, start + between * (across + down)]
            for across, down, start in to_crop.tolist()
        ]
    )


def _mean(points: list[list[float]]) -> tuple[float, float]:
    count = len(points)
    return sum(x for x, _ in points) / count, sum(y for _, y in points) / count
