"""Images made to train on: faces at many sizes and turns, alone, cut off, in grids and groups.

Every scene is made of tiles: a part of the canvas, filled with a prepared image through an affine
map; the labels go through the same map. Where a tile's image ends, one colour follows: mirrored
edges would show faces that have no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference.pipeline.faces import Detections, FloatArray, Pixels
from training.data.store import PreparedSet
from training.detector.covers import cover
from training.detector.near_misses import NearMiss, Patch
from training.errors import TrainingError
from training.recogniser.views import light

SURE = 0.5
"""Score of the teacher from which a face is to be found; below, neither a face nor none."""
MIN_VISIBLE = 0.5
"""Share of a box within its tile; below, it is not asked for, but not punished either."""
MIN_SIDE = 10.0
"""Pixels of a face that is asked for."""
FACES = (0.26, 0.39, 0.62, 0.83)
"""Shares of the scenes, summed up: a face, a close one, a grid, a group. The rest has no face."""
NEAR_MISSES = 0.4
"""Share of the grounds that show a near miss, where there are any."""
PATCHED = 0.35
"""Share of the scenes with patches, where there are any."""
MOST_PATCHES = 4
COVERED = 0.08
"""Share of faces that get a mask or glasses."""
MIRRORED = [1, 0, 2, 4, 3]
"""Order of the five landmarks after mirroring."""

Point = FloatArray | NDArray[np.float64] | tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """A canvas and what is on it, in its pixels."""

    pixels: Pixels
    boxes: FloatArray
    landmarks: FloatArray
    ignored: FloatArray


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of the canvas."""

    left: int
    top: int
    width: int
    height: int


@dataclass(slots=True)
class _Canvas:
    pixels: Pixels
    boxes: list[FloatArray] = field(default_factory=list)
    landmarks: list[FloatArray] = field(default_factory=list)
    ignored: list[FloatArray] = field(default_factory=list)

    def scene(self) -> Scene:
        return Scene(
            self.pixels,
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.landmarks, np.float32).reshape(-1, 5, 2),
            np.array(self.ignored, np.float32).reshape(-1, 4),
        )


class Scenes:
    """Makes scenes of prepared sets. What it makes depends on the generator alone."""

    def __init__(
        self,
        sets: Sequence[PreparedSet],
        backgrounds: Sequence[Pixels],
        misses: Sequence[NearMiss] = (),
        patches: Sequence[Patch] = (),
    ) -> None:
        """Sets with faces, photos without, and what was taken for faces on those and these.

        Raises TrainingError if either is missing.
        """
        self._backgrounds = backgrounds
        self._misses = misses
        self._patches = patches
        self._sets = [one for one in sets if len(one.crop_image)]
        # Images with a face that is worth a crop and that are not held out.
        self._images = [one.crop_image[~one.held_out[one.crop_image]] for one in self._sets]
        if not self._sets or not len(backgrounds):
            raise TrainingError("it takes a set with faces and photos without; prepare both")
        # Sets with several faces an image, as LFW, as often as all others together.
        named = np.array([any(one.about["people"]) for one in self._sets])
        shares = np.where(named, 1.0 / max(1, named.sum()), 0.7 / max(1, (~named).sum()))
        self._shares = shares / shares.sum()

    def scene(self, size: int, rng: Generator) -> Scene:
        """One scene of size × size pixels."""
        canvas = _Canvas(self._ground(size, rng))
        kind = rng.random()
        whole = Tile(0, 0, size, size)
        if kind < FACES[0]:
            self._face(canvas, whole, _between(0.1, 0.75, rng) * size, rng)
        elif kind < FACES[1]:
            self._face(canvas, whole, _between(0.7, 1.5, rng) * size, rng)
        elif kind < FACES[2]:
            self._grid(canvas, size, rng)
        elif kind < FACES[3]:
            self._group(canvas, size, rng)
        if self._patches and rng.random() < PATCHED:
            for _ in range(int(rng.integers(1, MOST_PATCHES + 1))):
                self._patch(canvas, size, rng)
        canvas.pixels = _developed(canvas.pixels, rng)
        return canvas.scene()

    def _ground(self, size: int, rng: Generator) -> Pixels:
        if rng.random() < 0.25:
            colour = rng.integers(0, 256, 3) if rng.random() < 0.4 else np.zeros(3)
            return np.full((size, size, 3), colour, np.uint8)
        if self._misses and rng.random() < NEAR_MISSES:
            miss = self._misses[int(rng.integers(len(self._misses)))]
            photo = self._backgrounds[miss.photo]
            centre = np.array([miss.x, miss.y])
            target = rng.uniform(0.15, 0.85, 2) * size
            # About as large as it was seen: another size is another pattern.
            scale = miss.scale * _between(0.75, 1.4, rng)
        else:
            photo = self._backgrounds[int(rng.integers(len(self._backgrounds)))]
            height, width = photo.shape[:2]
            centre = rng.uniform(0.2, 0.8, 2) * (width, height)
            target = np.array([size / 2, size / 2])
            scale = size / min(height, width) * _between(0.4, 3.0, rng)
        matrix = _affine(centre, target, scale, rng.normal(0, 8), rng.random() < 0.5)
        return np.asarray(
            cv2.warpAffine(photo, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101), np.uint8
        )

    def _face(self, canvas: _Canvas, tile: Tile, side: float, rng: Generator) -> None:
        """Fill a tile with an image whose main face has `side` pixels."""
        one = int(rng.choice(len(self._sets), p=self._shares))
        image = int(rng.choice(self._images[one]))
        faces = self._sets[one].faces_of(image)
        pixels = self._sets[one].image(image)
        main = faces.boxes[int(np.argmax((faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1)))]
        scale = side / float((main[2:] - main[:2]).max())
        degrees = rng.normal(0, 8) if rng.random() < 0.85 else rng.uniform(-40, 40)
        spread = max(0.0, min(tile.width, tile.height) - side) / 2
        target = np.array([tile.left + tile.width / 2, tile.top + tile.height / 2])
        target += rng.uniform(-1, 1, 2) * (spread + 0.12 * side)
        matrix = _affine(
            (main[:2] + main[2:]) / 2, target, scale, degrees, mirror := bool(rng.random() < 0.5)
        )
        _paste(canvas, tile, pixels, matrix, rng)
        before = len(canvas.boxes)
        _label(canvas, tile, faces, matrix, scale, is_mirrored=mirror)
        for landmarks in canvas.landmarks[before:]:
            if rng.random() < COVERED:
                cover(canvas.pixels, landmarks, rng)

    def _grid(self, canvas: _Canvas, size: int, rng: Generator) -> None:
        lines = int(rng.integers(2, 6))
        edges = np.linspace(0, size, lines + 1).astype(int)
        for top, bottom in pairwise(edges):
            for left, right in pairwise(edges):
                tile = Tile(int(left), int(top), int(right - left), int(bottom - top))
                kind = rng.random()
                if kind < 0.72:
                    self._face(canvas, tile, _between(0.3, 0.95, rng) * tile.width, rng)
                elif kind < 0.87:
                    self._no_face(canvas, tile, rng)

    def _group(self, canvas: _Canvas, size: int, rng: Generator) -> None:
        """People here and there on a photo."""
        taken: list[Tile] = []
        largest = _between(0.06, 0.4, rng) * size
        for _ in range(int(rng.integers(1, 13))):
            face = max(MIN_SIDE + 1, largest * float(rng.uniform(0.5, 1.0)))
            side = min(size - 1, int(face * rng.uniform(1.5, 2.4)))
            left, top = (int(v) for v in rng.integers(0, size - side + 1, 2))
            tile = Tile(left, top, side, side)
            if not any(_overlap(tile, other) for other in taken):
                taken.append(tile)
                self._face(canvas, tile, face, rng)

    def _patch(self, canvas: _Canvas, size: int, rng: Generator) -> None:
        """A near miss somewhere, but on no face."""
        one = self._patches[int(rng.integers(len(self._patches)))]
        scale = one.scale * _between(0.75, 1.4, rng)
        height, width = (
            min(size // 2, max(6, round(side * scale))) for side in one.pixels.shape[:2]
        )
        left, top = int(rng.integers(0, size - width + 1)), int(rng.integers(0, size - height + 1))
        taken = np.array([*canvas.boxes, *canvas.ignored], np.float32).reshape(-1, 4)
        apart = (taken[:, :2] >= (left + width, top + height)).any(1)
        apart |= (taken[:, 2:] <= (left, top)).any(1)
        if apart.all():
            shown = cv2.resize(one.pixels, (width, height), interpolation=cv2.INTER_AREA)
            view = canvas.pixels[top : top + height, left : left + width]
            view[:] = shown[:, ::-1] if rng.random() < 0.5 else shown

    def _no_face(self, canvas: _Canvas, tile: Tile, rng: Generator) -> None:
        """A part of a photo of people that shows no face: clothes, hands, hair, letters."""
        one = int(rng.choice(len(self._sets), p=self._shares))
        image = int(rng.choice(self._images[one]))
        pixels, boxes = self._sets[one].image(image), self._sets[one].faces_of(image).boxes
        height, width = pixels.shape[:2]
        for _ in range(8):
            side = int(rng.integers(24, min(height, width) // 2))
            left, top = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
            part = np.array([left, top, left + side, top + side], np.float32)
            apart = (boxes[:, :2] >= part[2:]).any(1) | (boxes[:, 2:] <= part[:2]).any(1)
            if apart.all():
                cut = pixels[top : top + side, left : left + side]
                view = canvas.pixels[
                    tile.top : tile.top + tile.height, tile.left : tile.left + tile.width
                ]
                view[:] = cv2.resize(cut, (tile.width, tile.height))
                return


def _affine(
    source: Point,
    target: Point,
    scale: float,
    degrees: float,
    is_mirrored: bool,
) -> NDArray[np.float64]:
    """The map (2, 3) that takes a point to another, scales, turns and maybe mirrors around it."""
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if is_mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    return np.hstack([linear, (np.asarray(target) - linear @ np.asarray(source))[:, None]])


def _paste(
    canvas: _Canvas, tile: Tile, pixels: Pixels, matrix: NDArray[np.float64], rng: Generator
) -> None:
    inner = matrix.copy()
    inner[:, 2] -= (tile.left, tile.top)
    view = canvas.pixels[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
    if rng.random() < 0.5:
        # What lies around stays: an edge of a picture within a picture.
        mode, value = cv2.BORDER_TRANSPARENT, 0.0
    else:
        mode, value = cv2.BORDER_CONSTANT, float(rng.choice([0, 0, 127, 255]))
    filled = view.copy()
    cv2.warpAffine(
        light(pixels, rng),
        inner,
        (tile.width, tile.height),
        dst=filled,
        borderMode=mode,
        borderValue=(value, value, value),
    )
    view[:] = filled


def _label(
    canvas: _Canvas,
    tile: Tile,
    faces: Detections,
    matrix: NDArray[np.float64],
    scale: float,
    *,
    is_mirrored: bool,
) -> None:
    linear, shift = matrix[:, :2], matrix[:, 2]
    low = np.array([tile.left, tile.top])
    high = low + np.array([tile.width, tile.height])
    for box, points, score in zip(faces.boxes, faces.landmarks, faces.scores, strict=True):
        # A turned head needs about the box it had: its centre turns, its extents stay.
        half = (box[2:] - box[:2]) / 2 * scale
        centre = linear @ ((box[:2] + box[2:]) / 2) + shift
        moved = np.concatenate([centre - half, centre + half])
        seen = np.maximum(np.minimum(moved[2:], high) - np.maximum(moved[:2], low), 0)
        visible = float(seen.prod() / max(float(4 * half.prod()), 1e-6))
        if visible < 0.1:
            continue
        if score < SURE or visible < MIN_VISIBLE or 2 * half.max() < MIN_SIDE:
            canvas.ignored.append(moved.astype(np.float32))
            continue
        turned = points @ linear.T + shift
        canvas.boxes.append(moved.astype(np.float32))
        canvas.landmarks.append((turned[MIRRORED] if is_mirrored else turned).astype(np.float32))


def _developed(pixels: Pixels, rng: Generator) -> Pixels:
    """What cameras and files do to a whole image."""
    if rng.random() < 0.15:
        pixels = np.asarray(
            cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.4, 1.8))), np.uint8
        )
    if rng.random() < 0.12:
        noise = rng.normal(0, rng.uniform(2, 10), pixels.shape)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        _, encoded = cv2.imencode(".jpg", pixels, quality)
        pixels = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return pixels


def _overlap(one: Tile, other: Tile) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    return across > 0 and down > 0


def _between(low: float, high: float, rng: Generator) -> float:
    """Log-uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
