"""Photos of which it is known where the faces are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bench.kit.picture_source import Picture

FACE = (78.0, 61.0, 173.0, 190.0)
"""x1, y1, x2, y2 of the face on a picture of LFW, which are centred on it: the median of 400."""
PICTURE_SIDE = 250
FACE_HEIGHT = FACE[3] - FACE[1]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One photo, and the faces that a person sees on it."""

    data: bytes
    """A file."""
    boxes: Sequence[Box] = ()
    """Where the faces are; empty: see `count`."""
    count: int = 0
    """How many there are, where nobody knows the places."""
    lean: float | None = None
    """Degrees clockwise that the faces were turned by; None: nobody knows."""

    @property
    def faces(self) -> int:
        """How many faces there are to find."""
        return len(self.boxes) or self.count


def portrait(picture: Picture) -> Sample:
    """As it is."""
    return Sample(_png(picture), [FACE], lean=0)


def turned(picture: Picture, degrees: int) -> Sample:
    """Turned clockwise by 90, 180 or 270 degrees; nothing says so."""
    x1, y1, x2, y2 = FACE
    side = PICTURE_SIDE
    box = {
        90: (side - y2, x1, side - y1, x2),
        180: (side - x2, side - y2, side - x1, side - y1),
        270: (y1, side - x2, y2, side - x1),
    }[degrees]
    pixels = np.ascontiguousarray(np.rot90(picture, -degrees // 90))
    return Sample(_png(pixels), [box], lean=degrees)


def cropped(picture: Picture, tightness: float) -> Sample:
    """The face cut out: `tightness` times the size of its box."""
    x1, y1, x2, y2 = FACE
    across, down = (x2 - x1) * (tightness - 1) / 2, (y2 - y1) * (tightness - 1) / 2
    left, top = max(round(x1 - across), 0), max(round(y1 - down), 0)
    cut = picture[top : round(y2 + down), left : round(x2 + across)]
    return Sample(_png(cut), [(x1 - left, y1 - top, x2 - left, y2 - top)], lean=0)


def aligned(picture: Picture) -> Sample:
    """112×112 pixels, as face crops are handed around."""
    cut = picture[48:198, 50:200]
    crop = cv2.resize(cut, (112, 112), interpolation=cv2.INTER_AREA)
    to_crop = 112 / 150
    x1, y1, x2, y2 = FACE
    box = ((x1 - 50) * to_crop, (y1 - 48) * to_crop, (x2 - 50) * to_crop, (y2 - 48) * to_crop)
    return Sample(_png(np.asarray(crop, np.uint8)), [box], lean=0)


def blurred(picture: Picture, sigma: float) -> Sample:
    """As out of focus. sigma: in pixels; the face is 129 high."""
    return Sample(
        _png(np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)), [FACE], 0, 0
    )


def dark(picture: Picture, random: np.random.Generator) -> Sample:
    """A twelfth of the light, with the noise that comes with it."""
    noise = random.normal(0, 3, picture.shape)
    pixels = np.clip(picture.astype(np.float32) / 12 + noise, 0, 255).astype(np.uint8)
    return Sample(_png(pixels), [FACE], lean=0)


def group(pictures: Sequence[Picture], columns: int) -> Sample:
    """Side by side in rows."""
    rows = [
        np.hstack(list(pictures[first : first + columns]))
        for first in range(0, len(pictures), columns)
    ]
    boxes = [
        _placed(1.0, PICTURE_SIDE * (n % columns), PICTURE_SIDE * (n // columns))
        for n in range(len(pictures))
    ]
    return Sample(_png(np.vstack(rows)), boxes, lean=0)


def crowd(pictures: Sequence[Picture], background: Picture, face_pixels: float) -> Sample:
    """Faces of so many pixels from afar, in a grid of four columns on 640×480 pixels."""
    canvas = np.asarray(cv2.resize(background, (640, 480), interpolation=cv2.INTER_AREA), np.uint8)
    scale = face_pixels / FACE_HEIGHT
    side = round(PICTURE_SIDE * scale)
    boxes = []
    for number, picture in enumerate(pictures):
        x, y = 160 * (number % 4) + 60, 160 * (number // 4) + 60
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        canvas[y : y + side, x : x + side] = small
        boxes.append(_placed(side / PICTURE_SIDE, x, y))
    return Sample(_png(canvas), boxes, lean=0)


def shrunk(picture: Picture, factor: float, faces: int) -> Sample:
    """A photo of so many faces, smaller."""
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return Sample(_png(np.asarray(small, np.uint8)), count=faces)


def _placed(scale: float, left: float, top: float) -> Box:
    x1, y1, x2, y2 = FACE
    return left + x1 * scale, top + y1 * scale, left + x2 * scale, top + y2 * scale


def _png(picture: Picture) -> bytes:
    done, encoded = cv2.imencode(".png", picture)
    if not done:
        raise RuntimeError("OpenCV cannot write a PNG")
    return encoded.tobytes()
