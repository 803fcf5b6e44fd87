"""How good a face is for recognition, from its box, its five points and its crop."""

from __future__ import annotations

import cmath
import math

import cv2

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
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    variance = float(deviation[0, 0]) ** 2
    return variance / (variance + SHARP_VARIANCE)


def pose_of(landmarks: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees from five points (5, 2), x to the right and y down.

    An estimate from where the tip of the nose lies between the eyes and the mouth, on an average
    head seen from afar. Positive: looks to the right edge of the picture, up, turned clockwise.
    """
    # As complex numbers x + iy, which a factor turns.
    points = [complex(x, y) for x, y in landmarks.tolist()]
    left_eye, right_eye, nose, left_corner, right_corner = points
    eyes, mouth = (left_eye + right_eye) / 2, (left_corner + right_corner) / 2
    # Eyes and mouth agree on the roll better than the eyes alone.
    across = (right_eye - left_eye) + (right_corner - left_corner)
    roll = math.atan2(across.imag, across.real)
    upright = cmath.rect(1.0, -roll)
    down, to_nose = (mouth - eyes) * upright, (nose - eyes) * upright
    # The distance that foreshortening spares tells the size of the head.
    reach = max(((right_eye - left_eye) * upright).real, down.imag, 1e-6)
    yaw = _asin_degrees((to_nose.real - down.real / 2) / (NOSE_DEPTH * reach))
    pitch = _asin_degrees((NOSE_HEIGHT * down.imag - to_nose.imag) / (NOSE_DEPTH_OF_FACE * reach))
    return yaw, pitch, math.degrees(roll)


def _asin_degrees(sine: float) -> float:
    return math.degrees(math.asin(min(max(sine, -1.0), 1.0)))
