"""How good a face is for recognition, from its box, its five points and its crop."""

from __future__ import annotations

import math

import cv2
import numpy as np

from inference.pipeline.faces import FloatArray, Pixels, Quality

SHARP_VARIANCE = 300.0
"""Variance of the Laplacian that is half sharp: about the median of LFW's faces."""
FULL_SIZE = 112.0
"""Pixels: a face as large as the crop loses nothing in the alignment."""
FRONTAL_DEGREES = 15.0
"""Up to here a turned head costs nothing."""
PROFILE_DEGREES = 75.0
"""From here on it costs nearly everything."""
WORST_POSE = 0.05

NOSE_DEPTH = 0.55
"""How far the tip of the nose stands before the line between the eyes, in eye distances (an average
head: 34 mm to 63 mm)."""
NOSE_HEIGHT = 0.52
"""Where the nose lies between the eyes (0) and the mouth (1) when the head is level."""
NOSE_DEPTH_OF_FACE = 0.5
"""Depth of the nose in distances from eyes to mouth."""


def assess(box: FloatArray, landmarks: FloatArray, crop: Pixels) -> Quality:
    """Quality of one face.

    box: (4,) x1, y1, x2, y2 and landmarks: (5, 2), both in the photo frame; crop: (112, 112, 3),
    the aligned face. Ranges and signs are those of the contract's Quality.
    """
    size = max(float(box[2] - box[0]), float(box[3] - box[1]), 0.0)
    sharpness = sharpness_of(crop)
    yaw, pitch, roll = pose_of(landmarks)
    turned = max(abs(yaw), abs(pitch))
    span = PROFILE_DEGREES - FRONTAL_DEGREES
    frontal = min(max(1.0 - (turned - FRONTAL_DEGREES) / span, WORST_POSE), 1.0)
    overall = (min(size / FULL_SIZE, 1.0) * sharpness * frontal) ** (1 / 3)
    return Quality(overall, size, sharpness, yaw, pitch, roll)


def sharpness_of(crop: Pixels) -> float:
    """0 (blurred) to 1 (sharp): the variance of the Laplacian inside the face.

    crop: (112, 112, 3). Its edges are left out, where the photo may end in a hard black line.
    """
    grey = cv2.cvtColor(crop[16:-16, 16:-16], cv2.COLOR_RGB2GRAY)
    variance = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return variance / (variance + SHARP_VARIANCE)


def pose_of(landmarks: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees from five points (5, 2), x to the right and y down.

    An estimate from where the tip of the nose lies between the eyes and the mouth, on an average
    head seen from afar. Positive: looks to the right edge of the picture, up, turned clockwise.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across = (points[1] - points[0]) + (points[4] - points[3])
    # Eyes and mouth agree on the roll better than the eyes alone.
    roll = math.atan2(across[1], across[0])
    cos, sin = math.cos(-roll), math.sin(-roll)
    upright = (points - eyes) @ np.array([[cos, -sin], [sin, cos]]).T
    eye_distance = float(upright[1, 0] - upright[0, 0])
    down = (mouth - eyes) @ np.array([[cos, -sin], [sin, cos]]).T
    height = float(down[1])
    # The distance that foreshortening spares tells the size of the head.
    reach = max(eye_distance, height, 1e-6)
    middle = float((upright[:2, 0].mean() + upright[3:, 0].mean()) / 2)
    yaw = _asin_degrees((float(upright[2, 0]) - middle) / (NOSE_DEPTH * reach))
    pitch = _asin_degrees(
        (NOSE_HEIGHT * height - float(upright[2, 1])) / (NOSE_DEPTH_OF_FACE * reach)
    )
    return yaw, pitch, math.degrees(roll)


def _asin_degrees(sine: float) -> float:
    return math.degrees(math.asin(min(max(sine, -1.0), 1.0)))
