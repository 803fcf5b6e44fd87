"""Faces covered as people cover them: a mask over mouth and nose, dark glasses."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference.pipeline.faces import FloatArray, Pixels

MASKED = 0.6
"""Share of covered faces that wear a mask; the others wear glasses."""
_CLOTHS = ((235, 235, 235), (150, 190, 215), (25, 25, 28), (190, 205, 195))
"""RGB of usual masks; any colour is as likely as all of these."""


def cover(pixels: Pixels, landmarks: FloatArray, rng: Generator) -> None:
    """Paint a mask or glasses on one face, in place. landmarks: (5, 2), in pixels."""
    if rng.random() < MASKED:
        _mask(pixels, landmarks, rng)
    else:
        _glasses(pixels, landmarks, rng)


def _mask(pixels: Pixels, landmarks: FloatArray, rng: Generator) -> None:
    left, right, nose, mouth_left, mouth_right = landmarks.astype(np.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down = (right - left) / 2, mouth - eyes
    # Where the head is turned, the nose is off the middle, and the mask with it.
    middle = eyes + 0.5 * (nose - eyes)
    edge = rng.uniform(1.5, 1.9)
    outline = [
        middle,
        eyes + 0.45 * down + edge * across,
        mouth + 0.3 * down + 0.9 * edge * across,
        mouth + rng.uniform(0.65, 0.95) * down + 0.5 * across,
        mouth + rng.uniform(0.65, 0.95) * down - 0.5 * across,
        mouth + 0.3 * down - 0.9 * edge * across,
        eyes + 0.45 * down - edge * across,
    ]
    cloth = _CLOTHS[int(rng.integers(len(_CLOTHS)))] if rng.random() < 0.5 else None
    colour = rng.uniform(0, 256, 3) if cloth is None else np.array(cloth, np.float64)
    _fill(pixels, np.array(outline), colour)
    fold = np.array([mouth - 1.1 * across, mouth + 1.1 * across])
    cv2.polylines(pixels, [_fixed(fold)], False, _rgb(colour * 0.85), 1, cv2.LINE_AA, 4)


def _glasses(pixels: Pixels, landmarks: FloatArray, rng: Generator) -> None:
    left, right = landmarks[:2].astype(np.float64)
    radius = float(np.linalg.norm(right - left)) * rng.uniform(0.27, 0.38)
    colour = rng.uniform(0, 70, 3)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = radius * np.stack([np.cos(angles), 0.8 * np.sin(angles)], 1)
    for eye in (left, right):
        _fill(pixels, eye + ring, colour)
    width = max(1, round(radius / 5))
    bridge = [_fixed(np.array([left, right]))]
    cv2.polylines(pixels, bridge, False, _rgb(colour), width, cv2.LINE_AA, 4)


def _fill(pixels: Pixels, outline: NDArray[np.float64], colour: NDArray[np.float64]) -> None:
    cv2.fillPoly(pixels, [_fixed(outline)], _rgb(colour), cv2.LINE_AA, 4)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """In sixteenths of a pixel: faces of ten pixels need them."""
    return np.asarray(np.round(points * 16), np.int32)


def _rgb(colour: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in colour)
    return red, green, blue
