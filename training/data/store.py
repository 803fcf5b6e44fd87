"""Prepared sets on disk: pixels mapped into memory, labels beside them.

``pixels.bin`` holds the images one after the other, ``index.npz`` where each begins and the faces
that the teacher found, ``names.json`` the names and the origin. ``crops.npy`` holds one aligned
face an image, with a margin around the 112×112 that a recogniser sees.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from inference.pipeline.faces import Detections, FloatArray, Pixels
from training.errors import TrainingError

MARGIN = 16
"""Pixels of a stored crop around the 112×112: room to shift, turn and scale."""
STORED_CROP = 112 + 2 * MARGIN

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class About(TypedDict):
    """What ``names.json`` holds."""

    source: str
    origin: str
    licence: str
    names: list[str]
    people: list[str | None]
    held_out: list[bool]
    looks: list[int]


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """One source, prepared. Arrays are read-only and mapped, not loaded."""

    folder: Path
    about: About
    pixels: NDArray[np.uint8]
    offsets: Ints
    """(n + 1,)."""
    sizes: Ints
    """(n, 2): height and width."""
    face_image: Ints
    """(m,): the image of each face, ascending."""
    faces: Detections
    """All m faces, of all images."""
    crops: Pixels
    """(k, STORED_CROP, STORED_CROP, 3)."""
    crop_image: Ints
    """(k,): the image of each crop, ascending."""
    crop_embeddings: FloatArray
    """(k, dim): what the teacher makes of the middle of each crop."""

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def held_out(self) -> Flags:
        """(n,)."""
        return np.array(self.about["held_out"], dtype=np.bool_)

    def image(self, number: int) -> Pixels:
        """The pixels (height, width, 3) of one image."""
        height, width = self.sizes[number]
        flat = self.pixels[self.offsets[number] : self.offsets[number + 1]]
        return np.asarray(flat).reshape(int(height), int(width), 3)

    def faces_of(self, number: int) -> Detections:
        """The teacher's faces of one image, in its pixels."""
        first, last = np.searchsorted(self.face_image, [number, number + 1])
        one = self.faces
        return Detections(one.boxes[first:last], one.landmarks[first:last], one.scores[first:last])


def open_set(folder: Path) -> PreparedSet:
    """A prepared set. Raises TrainingError if it is not there or not whole."""
    try:
        about: About = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        with np.load(folder / "index.npz") as index:
            arrays = {name: index[name] for name in index.files}
        pixels = np.memmap(folder / "pixels.bin", dtype=np.uint8, mode="r")
        crops = np.load(folder / "crops.npy", mmap_mode="r")
        return PreparedSet(
            folder=folder,
            about=about,
            pixels=pixels,
            offsets=arrays["offsets"],
            sizes=arrays["sizes"],
            face_image=arrays["face_image"],
            faces=Detections(arrays["boxes"], arrays["landmarks"], arrays["scores"]),
            crops=crops,
            crop_image=arrays["crop_image"],
            crop_embeddings=arrays["crop_embeddings"],
        )
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{folder} is not prepared (python -m training.data): {error}"
        ) from error


def open_all(prepared: Path, names: Sequence[str] | None = None) -> list[PreparedSet]:
    """Every prepared set of a folder, or those named, in the order of their names."""
    found = sorted(file.parent for file in prepared.glob("*/names.json"))
    if names is not None:
        found = [prepared / name for name in sorted(names)]
    if not found:
        raise TrainingError(f"nothing is prepared in {prepared} (python -m training.data)")
    return [open_set(folder) for folder in found]
