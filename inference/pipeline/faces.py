"""The values that pass from stage to stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Pixels = NDArray[np.uint8]
"""(height, width, 3), RGB, as a person sees it (EXIF applied), sRGB, 8 bits."""
Recolour = Callable[[Pixels], Pixels]
"""Pixels in the colours of some profile to sRGB. Runs in any thread."""

CROP_SIZE = 112
"""Pixels a side of an aligned face."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """How large an image may be. Checked on the header, before a pixel is decoded."""

    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image say."""

    format: str
    """"JPEG", "PNG" or "WEBP"."""
    width: int
    """Stored width in pixels, EXIF not applied."""
    height: int


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded image. Its frame is the photo frame of every box and landmark."""

    pixels: Pixels
    width: int
    """Pixels of the photo frame; more than pixels.shape[1] if decoded at a reduced scale."""
    height: int
    reduction: int = 1
    """Pixels of the photo frame, a side, that one held pixel stands for: 1, 2, 4 or 8. The last
    column and row may reach over the edge of the photo."""
    to_srgb: Recolour | None = None
    """What is still to be done to pixels taken from here: colours of a camera are expensive, and
    most pixels of a large photo are never looked at. None: they are in sRGB."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the photo frame."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces of one image, best score first, in the photo frame."""

    boxes: FloatArray
    """(n, 4): x1, y1, x2, y2 in pixels; may reach over the edges."""
    landmarks: FloatArray
    """(n, 5, 2): left eye, right eye, nose, left and right corner of the mouth, as seen on the
    photo turned as it was looked at."""
    scores: FloatArray
    """(n,): 0 to 1."""

    def __len__(self) -> int:
        return len(self.scores)

    def only(self, rows: NDArray[np.bool_]) -> Detections:
        """Some of them. rows: (n,), which."""
        return Detections(self.boxes[rows], self.landmarks[rows], self.scores[rows])


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a face is for recognition; ranges as in the contract."""

    overall: float
    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float


class EmbedMode(StrEnum):
    """Which faces get an embedding."""

    ALL = "all"
    SINGLE = "single"
    LARGEST = "largest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Counting:
    """Which faces count as people on the photo; see the contract's Counting."""

    min_face_fraction: float = 0.05
    min_inside: float = 0.75
    prominent_fraction: float = 0.0
    prominent_score: float = 0.0


@dataclass(frozen=True, slots=True)
class AnalyzeOptions:
    """What one call asks for."""

    is_early_stop: bool = False
    counting: Counting = Counting()
    min_score: float = 0.5
    max_faces: int = 0
    """0: no limit."""
    embed: EmbedMode = EmbedMode.ALL
    with_crops: bool = False


@dataclass(frozen=True, slots=True)
class AnalyzedFace:
    """One face of a result, in the photo frame."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2."""
    landmarks: FloatArray
    """(5, 2)."""
    score: float
    quality: Quality
    counts: bool
    embedding: FloatArray | None
    """(dim,), unit length; None: not asked for."""
    crop: Pixels | None
    """(112, 112, 3); None: not asked for."""


@dataclass(frozen=True, slots=True)
class StageSeconds:
    """Where the time of one item went; waiting in queues is part of each stage."""

    decode: float
    """Up to the detector's inputs, and any finer decode for small faces."""
    detect: float
    align: float
    embed: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one image showed."""

    width: int
    height: int
    faces: Sequence[AnalyzedFace]
    """Largest box first."""
    faces_counted: int
    seconds: StageSeconds
    turn: int = 0
    """Degrees clockwise that the photo was turned by for its faces to stand upright."""
