"""Drawn faces: what stands in for photos where none are at hand and noise will not do.

A network that rounds badly may still agree with itself on noise, which excites nothing in it. SCRFD
finds these with scores of 0.7 to 0.9, and MobileFaceNet embeds two of them at cosines of 0.6 to
0.96 to each other, as it does real faces that resemble.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from inference.pipeline.faces import FloatArray, Pixels

SIDE = 256
"""Pixels of the square that the coordinates below are in."""

Colour = tuple[float, float, float]
"""RGB, 0 to 255."""
Point = tuple[float, float]
Ellipse = Callable[..., None]

WHITE: Colour = (245, 243, 240)
IRIS: Colour = (70, 50, 35)
BLACK: Colour = (10, 10, 10)
LIPS: Colour = (170, 75, 75)
MOUTH: Colour = (110, 40, 45)
CLOTHES: Colour = (70, 80, 110)


@dataclass(frozen=True, slots=True)
class Face:
    """Somebody to draw."""

    skin: Colour
    hair: Colour
    turn: float
    """Where the face looks: −1 left to 1 right."""
    light: float
    """Where light comes from: −1 left to 1 right."""

    @property
    def landmarks(self) -> FloatArray:
        """Eyes, nose, corners of the mouth, (5, 2) in a square of `SIDE`."""
        x = 128 + 10 * self.turn
        nose = 128 + 14 * self.turn
        points = [(x - 26, 118), (x + 26, 118), (nose, 156), (x - 21, 182), (x + 21, 182)]
        return np.array(points, dtype=np.float32)


FACES = (
    Face(skin=(224, 172, 140), hair=(60, 40, 30), turn=0.0, light=0.3),
    Face(skin=(120, 80, 58), hair=(20, 18, 16), turn=0.6, light=-0.5),
    Face(skin=(240, 200, 180), hair=(170, 130, 70), turn=-0.6, light=0.1),
    Face(skin=(198, 140, 100), hair=(90, 90, 90), turn=0.0, light=0.6),
)


def draw(face: Face, side: int = SIDE) -> Pixels:
    """A portrait, (side, side, 3) RGB. The same on every machine, but for rounding."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side
    top, bottom = np.array([110, 130, 150], np.float32), np.array([60, 80, 120], np.float32)
    image = np.asarray(top + (bottom - top) * rows[..., None], dtype=np.float32)
    _draw_head(_ellipses(image, side / SIDE), face)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.6 * side / SIDE), dtype=np.float32)
    x, y = columns - 0.5, rows - 0.5
    image *= (1 + face.light * x - 0.35 * (x**2 + y**2))[..., None]
    grain = np.random.default_rng(seed=0).normal(0, 1, (side, side)).astype(np.float32)
    image += 6 * cv2.GaussianBlur(grain, (0, 0), 1.2)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def draw_group(side: int) -> Pixels:
    """Eight portraits of three sizes on one picture, (side, side, 3) RGB; side: a multiple of 32.

    The faces on them are a third, a fifth and a tenth of the picture high.
    """
    fifth = side // 5
    places = [
        (0, 0, 3),
        (3, 0, 2),
        (3, 2, 2),
        (0, 3, 2),
        *((2, 3, 1), (2, 4, 1), (3, 4, 1), (4, 4, 1)),
    ]
    image = np.zeros((side, side, 3), dtype=np.uint8)
    for number, (column, row, fifths) in enumerate(places):
        portrait = draw(FACES[number % len(FACES)], fifth * fifths)
        top, left = row * fifth, column * fifth
        image[top : top + len(portrait), left : left + len(portrait)] = portrait
    return image


def _draw_head(ellipse: Ellipse, face: Face) -> None:
    skin, x = face.skin, 128 + 10 * face.turn
    nose = 128 + 14 * face.turn
    ellipse((128, 262), (95, 60), CLOTHES)
    ellipse((128, 205), (30, 45), _shade(skin, 0.8))
    ellipse((128, 112), (74, 88), face.hair)
    ellipse((128, 130), (60, 78), skin)
    ellipse((128 + 3 * face.turn, 66), (60, 26), face.hair)
    for eye in (x - 26, x + 26):
        ellipse((eye, 116), (17, 11), _shade(skin, 0.85))
        ellipse((eye, 118), (12, 6), WHITE)
        ellipse((eye, 118), (5.5, 5.5), IRIS)
        ellipse((eye, 118), (2.5, 2.5), BLACK)
        ellipse((eye - 1.5, 116.5), (1.2, 1.2), WHITE)
        ellipse((eye, 118), (13, 7), _shade(skin, 0.35), line=2, arc=(180, 360))
        ellipse((eye, 110), (17, 8), face.hair, line=4, arc=(205, 335))
    ellipse((nose, 145), (8, 26), _shade(skin, 1.07))
    ellipse((nose, 158), (13, 7), _shade(skin, 0.88))
    for nostril in (nose - 6, nose + 6):
        ellipse((nostril, 160), (3, 2), _shade(skin, 0.45))
    ellipse((x, 182), (23, 8), LIPS)
    ellipse((x, 181), (22, 2), MOUTH)
    ellipse((x, 196), (14, 3), _shade(skin, 0.85))


def _ellipses(image: FloatArray, scale: float) -> Ellipse:
    """A pen that draws on an image in coordinates of `SIDE`."""

    def draw_one(
        centre: Point,
        axes: Point,
        colour: Colour,
        *,
        line: int | None = None,
        arc: tuple[int, int] = (0, 360),
    ) -> None:
        cv2.ellipse(
            image,
            (round(centre[0] * scale), round(centre[1] * scale)),
            (round(axes[0] * scale), round(axes[1] * scale)),
            0,
            *arc,
            colour,
            cv2.FILLED if line is None else max(1, round(line * scale)),
            cv2.LINE_AA,
        )

    return draw_one


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255.0, part * factor) for part in colour)
    return red, green, blue
