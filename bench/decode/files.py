"""Photos of 12 megapixels in both encodings that cameras and editors write."""

from __future__ import annotations

import io
import math
from enum import StrEnum
from pathlib import Path

from PIL import Image

from bench.kit.photos import originals

PIXELS = 12_000_000
QUALITY = 88


class Encoding(StrEnum):
    """How the scans of a JPEG are laid out."""

    BASELINE = "baseline"
    """One scan, as cameras write it."""
    PROGRESSIVE = "progressive"
    """Many scans over all of the picture, as editors and sites write it."""


def twelve_megapixels(count: int, encoding: Encoding, folder: Path | None) -> list[bytes]:
    """Camera originals scaled to 12 megapixels, 1 to 12 people each. Raises NoPictures."""
    return [_encoded(original, encoding) for original in originals(count, folder=folder)]


def _encoded(original: bytes, encoding: Encoding) -> bytes:
    stream = io.BytesIO()
    with Image.open(io.BytesIO(original)) as image:
        factor = math.sqrt(PIXELS / (image.width * image.height))
        size = (round(image.width * factor), round(image.height * factor))
        image.resize(size).save(
            stream, "JPEG", quality=QUALITY, progressive=encoding is Encoding.PROGRESSIVE
        )
    return stream.getvalue()
