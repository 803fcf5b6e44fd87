"""Ways from the bytes of a JPEG to the input of the detector, each on the calling thread."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Sequence

import cv2
from PIL import Image

from inference.pipeline.decode import read_header
from inference.pipeline.faces import AnalyzeOptions, DecodeLimits
from inference.pipeline.looks import Look, LookPolicy
from inference.pipeline.picture import Picture
from inference.pipeline.walk import Walk

LOOK = 640
_LIMITS = DecodeLimits(max_bytes=64 << 20, max_pixels=50_000_000)
_SEARCH = Walk(LookPolicy(), AnalyzeOptions(is_early_stop=True))

Way = Callable[[bytes], object]


def with_pillow(data: bytes) -> object:
    """Decode in full, then resize: what comes to mind first."""
    with Image.open(io.BytesIO(data)) as image:
        return _fitted(image.convert("RGB"))


def with_pillow_draft(data: bytes) -> object:
    """Pillow's own reduced decode."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (LOOK, LOOK))
        return _fitted(image.convert("RGB"))


def reduced(data: bytes) -> object:
    """As a search has it."""
    return _SEARCH.inputs(Picture(data, read_header(data, _LIMITS)), [Look(LOOK)])


def in_full(data: bytes) -> object:
    """The same with INFERENCE_REDUCED_DECODE=false."""
    return _SEARCH.inputs(Picture(data, read_header(data, _LIMITS), may_reduce=False), [Look(LOOK)])


SIDES: dict[str, Way] = {
    "Pillow in full, resized": with_pillow,
    "Pillow draft, resized": with_pillow_draft,
    "in full": in_full,
    "reduced": reduced,
}


def milliseconds(way: Way, photos: Sequence[bytes]) -> Callable[[], float]:
    """A measurement of one way: its median over the photos."""

    def measured() -> float:
        cv2.setNumThreads(1)
        return statistics.median(_timed(way, photo) for photo in photos)

    return measured


def _timed(way: Way, photo: bytes) -> float:
    started = time.perf_counter()
    way(photo)
    return (time.perf_counter() - started) * 1000


def _fitted(image: Image.Image) -> Image.Image:
    factor = LOOK / max(image.size)
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BILINEAR)
