"""Views of a face: what the teacher sees, and what becomes of it before the student sees it.

Geometry and light are seen by both, so the teacher says what *this* view shows (Beyer et al. 2022,
"A good teacher is patient and consistent"). Damage (few pixels, blur, JPEG, noise, something in
front of the face, a crop a little beside its place) is for the student only: it learns to see
through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference.pipeline.faces import CROP_SIZE, Pixels
from training.data.store import MARGIN, STORED_CROP


@dataclass(frozen=True, slots=True)
class Displacement:
    """How a crop lies beside the place that the teacher's landmarks give it."""

    degrees: float
    scale: float
    shift: NDArray[np.float64]
    """(2,) in pixels of the crop."""

    @classmethod
    def of_landmarks(cls, rng: Generator) -> Self:
        """As a fast detector's landmarks have it, and now and then far worse."""
        far = 2.5 if rng.random() < 0.2 else 1.0
        return cls(
            degrees=float(far * rng.normal(0, 1.8)),
            scale=float(np.exp(far * rng.normal(0, 0.035))),
            shift=far * rng.normal(0, 1.4, size=2),
        )


def displaced(stored: Pixels, by: Displacement) -> tuple[Pixels, NDArray[np.float64]]:
    """A crop (112, 112, 3) of a stored one, and the map (2, 3) of the teacher's crop into it."""
    middle = (STORED_CROP - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), by.degrees, by.scale)
    matrix[:, 2] = matrix[:, 2] + by.shift + (CROP_SIZE - STORED_CROP) / 2
    crop = cv2.warpAffine(stored, matrix, (CROP_SIZE, CROP_SIZE), borderMode=cv2.BORDER_REFLECT_101)
    # The teacher's crop begins MARGIN pixels within the stored one.
    from_crop = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ [MARGIN, MARGIN]])
    return np.asarray(crop, dtype=np.uint8), from_crop


def seen_by_both(stored: Pixels, rng: Generator, *, spread: float = 1.0) -> Pixels:
    """A crop (112, 112, 3) of a stored one: shifted, turned, scaled, mirrored, other light.

    spread: how far it is moved, of what crops are in life.
    """
    return light(_moved(stored, rng, spread), rng)


def _moved(stored: Pixels, rng: Generator, spread: float) -> Pixels:
    degrees, scale = spread * rng.normal(0, 3.5), np.exp(spread * rng.normal(0, 0.035))
    shift = spread * rng.normal(0, 1.6, size=2)
    if rng.random() < 0.1:  # what a coarse look's landmarks do
        degrees, scale, shift = degrees * 3, scale**2, shift * 2
    crop, _ = displaced(stored, Displacement(float(degrees), float(scale), shift))
    return np.asarray(crop[:, ::-1] if rng.random() < 0.5 else crop, dtype=np.uint8)


def light(crop: Pixels, rng: Generator) -> Pixels:
    """The same pixels in another light: brightness, contrast, gamma, a colour cast, or grey."""
    levels = np.arange(256, dtype=np.float32) / 255
    table = np.empty((256, 3), np.float32)
    gamma, gain, offset = (
        np.exp(rng.normal(0, 0.2)),
        np.exp(rng.normal(0, 0.15)),
        rng.normal(0, 0.05),
    )
    cast = np.exp(rng.normal(0, 0.05, size=3))
    for channel in range(3):
        table[:, channel] = (levels**gamma - 0.5) * gain * cast[channel] + 0.5 + offset
    lit = cv2.LUT(np.ascontiguousarray(crop), (np.clip(table, 0, 1) * 255).astype(np.uint8)[None])
    if rng.random() < 0.06:
        lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(lit, dtype=np.uint8)


def mixed(one: Pixels, other: Pixels, rng: Generator) -> Pixels:
    """A face between two: nobody's, so the student sees more people than there are images."""
    share = float(rng.uniform(0.25, 0.75))
    return np.asarray(cv2.addWeighted(one, share, other, 1 - share, 0.0), dtype=np.uint8)


def damaged(crop: Pixels, rng: Generator) -> Pixels:
    """What the student sees of a view: moved, coarse, blurred, noisy, compressed or covered."""
    if rng.random() < 0.6:
        # As another detector's landmarks have it: about 2 % of the face from the teacher's.
        degrees, scale = rng.normal(0, 1.2), np.exp(rng.normal(0, 0.02))
        crop = _beside(crop, Displacement(float(degrees), float(scale), rng.normal(0, 1.2, size=2)))
    return spoiled(crop, rng)


def before_straightening(crop: Pixels, rng: Generator) -> Pixels:
    """The same for a student whose crops are put straight first: all of them lie beside."""
    return spoiled(_beside(crop, Displacement.of_landmarks(rng)), rng)


def spoiled(crop: Pixels, rng: Generator) -> Pixels:
    """A crop as it is, or coarse, blurred, noisy, compressed or covered."""
    if rng.random() < 0.3:
        return crop
    if rng.random() < 0.35:
        crop = _coarse(crop, rng)
    if rng.random() < 0.2:
        crop = _blurred(crop, rng)
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 12), crop.shape)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        crop = _compressed(crop, rng)
    if rng.random() < 0.2:
        crop = _covered(crop, rng)
    return crop


def _beside(crop: Pixels, by: Displacement) -> Pixels:
    middle = (CROP_SIZE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), by.degrees, by.scale)
    matrix[:, 2] = matrix[:, 2] + by.shift
    moved = cv2.warpAffine(crop, matrix, (CROP_SIZE, CROP_SIZE), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, dtype=np.uint8)


def _coarse(crop: Pixels, rng: Generator) -> Pixels:
    side = int(np.exp(rng.uniform(np.log(24), np.log(90))))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (CROP_SIZE, CROP_SIZE)), dtype=np.uint8)


def _blurred(crop: Pixels, rng: Generator) -> Pixels:
    if rng.random() < 0.7:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(0.5, 2.2))), np.uint8)
    length = int(rng.integers(3, 10))  # a hand or a head that moved
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, float(rng.uniform(0, 180)), 1.0)
    turned = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(crop, -1, turned / max(float(turned.sum()), 1e-6)), np.uint8)


def _compressed(crop: Pixels, rng: Generator) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 85))]
    _, encoded = cv2.imencode(".jpg", crop, quality)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _covered(crop: Pixels, rng: Generator) -> Pixels:
    covered = crop.copy()
    if rng.random() < 0.4:  # a mask or a scarf
        top = int(rng.uniform(0.58, 0.72) * CROP_SIZE)
        area = covered[top:]
    else:
        height, width = rng.integers(12, 45, size=2)
        top, left = rng.integers(0, CROP_SIZE - height), rng.integers(0, CROP_SIZE - width)
        area = covered[top : top + height, left : left + width]
    area[:] = rng.integers(0, 256, 3, dtype=np.uint8)
    return covered
