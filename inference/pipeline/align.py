"""A face in InsightFace's 112×112 template, by its five points."""

from __future__ import annotations

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
    if not np.isfinite(source).all():
        raise InvalidLandmarks("the landmarks are not finite numbers")
    from_points, to_points = source.astype(np.float64), target.astype(np.float64)
    from_mean, to_mean = from_points.mean(axis=0), to_points.mean(axis=0)
    x, y = (from_points - from_mean).T
    u, v = (to_points - to_mean).T
    spread = float(x @ x + y @ y)
    if not np.isfinite(spread) or spread < MIN_SPREAD**2:
        raise InvalidLandmarks("the landmarks lie on one point")
    # As complex numbers the best w ≈ a·z is a = Σ conj(z)·w / Σ |z|².
    real, imaginary = float(x @ u + y @ v) / spread, float(x @ v - y @ u) / spread
    linear = np.array([[real, -imaginary], [imaginary, real]])
    return np.hstack([linear, (to_mean - linear @ from_mean)[:, None]])


def align(photo: Photo, landmarks: FloatArray) -> Pixels:
    """The aligned crop of a face, (112, 112, 3) RGB; black where the photo ends.

    landmarks: (5, 2) in the photo frame. Linear interpolation without a filter, as InsightFace has
    it: recognisers were trained on crops made so. Raises InvalidLandmarks.
    """
    to_crop = _to_crop(landmarks)
    if photo.reduction > 1:
        to_crop = _from_held(to_crop, photo.reduction)
    if not np.isfinite(to_crop).all():
        raise InvalidLandmarks("the landmarks lie too far away")
    warped = cv2.warpAffine(photo.pixels, to_crop, (CROP_SIZE, CROP_SIZE), borderValue=0.0)
    crop = np.asarray(warped, dtype=np.uint8)
    return crop if photo.to_srgb is None else photo.to_srgb(crop)


def crop_scale(landmarks: FloatArray) -> float:
    """Pixels of the crop per pixel of the photo frame.

    landmarks: (5, 2) in the photo frame. Raises InvalidLandmarks.
    """
    linear = _to_crop(landmarks)[:, :2]
    return float(np.hypot(linear[0, 0], linear[1, 0]))


def _to_crop(landmarks: FloatArray) -> Transform:
    if landmarks.shape != TEMPLATE.shape:
        raise InvalidLandmarks("a face has exactly five landmarks, each with x and y")
    return similarity(landmarks, TEMPLATE)


def _from_held(to_crop: Transform, reduction: int) -> Transform:
    """The same transform from the pixels held; their centres lie between those of the frame."""
    linear = to_crop[:, :2]
    between = (reduction - 1) / 2
    return np.hstack([linear * reduction, (to_crop[:, 2] + linear @ [between, between])[:, None]])
