"""Photo sets, always the same: number n of a set depends on the pictures, the seed and n alone.

Made of small pictures of faces, scaled up: what a photo costs is its pixels and bytes, not its
beauty. Grain is added, because a scaled picture compresses to half of what a camera's takes.
"""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.kit.analyze import Policy, analyses
from bench.kit.picture_source import Picture, PictureSource, picture_source
from bench.kit.processes import Service

_VERSION = 2
"""Of what is made here: another one makes every photo anew."""
_GOLDEN = 0.6180339887498949
_GRAIN = 4.0
"""Deviation of the brightness: a quality of 88 then gives 130 kB a megapixel, as cameras do."""
_GROUP_GRIDS = ((2, 1), (3, 1), (2, 2), (3, 2), (4, 2), (4, 3), (5, 3), (5, 4))
_ORIGINAL_GRIDS = ((4, 3), (3, 2), (2, 2), (1, 1))
_MIX = "sspsgssspsgssposgssp"
"""Of 20 photos: 12 selfies, 4 real photos, 3 groups, an original."""


def selfies(count: int, seed: int = 0, folder: Path | None = None) -> list[bytes]:
    """One person each, 0.3 to 2 megapixels: JPEGs of about 130 kB a megapixel.

    News photos, so some show a second face: `single_face` keeps those that show one.

    folder: make them of its photos; None: of the test data. Raises NoPictures.
    """
    return _made("selfie", count, seed, picture_source(folder), _selfie)


def selfie_pictures(source: PictureSource, count: int, seed: int = 0) -> list[int]:
    """Which picture of the source each of the selfies is made of."""
    return [_picture_number(source, seed, number) for number in range(count)]


def groups(count: int, seed: int = 0, folder: Path | None = None) -> list[bytes]:
    """2 to 20 people each, 1 to 6 megapixels. As `selfies`."""
    return _made("group", count, seed, picture_source(folder), _group)


def originals(count: int, seed: int = 0, folder: Path | None = None) -> list[bytes]:
    """12 to 36 megapixels as from a camera, 1 to 12 people. As `selfies`."""
    return _made("original", count, seed, picture_source(folder), _original)


def mixed(count: int, seed: int = 0, folder: Path | None = None) -> list[bytes]:
    """What an archive holds: selfies, real photos, groups, a few originals. As `selfies`."""
    kinds = [_MIX[number % len(_MIX)] for number in range(count)]
    real = picture_source(folder).files()
    if not real:
        kinds = ["s" if kind == "p" else kind for kind in kinds]
    sets = {
        "s": iter(selfies(kinds.count("s"), seed, folder)),
        "g": iter(groups(kinds.count("g"), seed, folder)),
        "o": iter(originals(kinds.count("o"), seed, folder)),
        "p": iter(real[number % len(real)] for number in range(kinds.count("p"))),
    }
    return [next(sets[kind]) for kind in kinds]


def single_face(service: Service, photos: Sequence[bytes]) -> list[bytes]:
    """Those that the service itself sees one face on, looking as a search does.

    service: an inference server. A refusal is cheaper than an answer and would flatter a figure.
    """
    answers = analyses(service.address, photos, Policy.SEARCH)
    return [
        photo for photo, answer in zip(photos, answers, strict=True) if answer.faces_counted == 1
    ]


Maker = Callable[[PictureSource, int, int], bytes]


def _made(kind: str, count: int, seed: int, source: PictureSource, maker: Maker) -> list[bytes]:
    """The first `count` of a kind, from the cache where they are there."""
    cache = _cache_folder() / f"{source.key}-{_VERSION}-{kind}-{seed}"
    cache.mkdir(parents=True, exist_ok=True)
    photos = []
    for number in range(count):
        place = cache / f"{number:05}.jpg"
        try:
            photo = place.read_bytes()
        except FileNotFoundError:
            photo = maker(source, seed, number)
            # Whole or not at all: another benchmark may be reading.
            unfinished = place.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(photo)
            unfinished.replace(place)
        photos.append(photo)
    return photos


def _cache_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"facesearch-bench-{getpass.getuser()}"


def _selfie(source: PictureSource, seed: int, number: int) -> bytes:
    picture = source.picture(_picture_number(source, seed, number))
    return _jpeg(_scaled(picture, _spread(number, seed, 0.3, 2.0)), seed, number)


def _group(source: PictureSource, seed: int, number: int) -> bytes:
    columns, rows = _GROUP_GRIDS[number % len(_GROUP_GRIDS)]
    mosaic = _mosaic(source, seed, number, columns, rows)
    return _jpeg(_scaled(mosaic, _spread(number, seed, 1.0, 6.0)), seed, number)


def _original(source: PictureSource, seed: int, number: int) -> bytes:
    columns, rows = _ORIGINAL_GRIDS[number % len(_ORIGINAL_GRIDS)]
    mosaic = _mosaic(source, seed, number, columns, rows)
    return _jpeg(_scaled(mosaic, _spread(number, seed, 12.0, 36.0)), seed, number)


def _picture_number(source: PictureSource, seed: int, number: int) -> int:
    order = np.random.default_rng(seed).permutation(len(source))
    return int(order[number % len(source)])


def _spread(number: int, seed: int, lowest: float, highest: float) -> float:
    """Even over the range for any count, as multiples of the golden ratio are."""
    place = ((number + 1) * _GOLDEN + seed * _GOLDEN**2) % 1.0
    return lowest + (highest - lowest) * place


def _mosaic(source: PictureSource, seed: int, number: int, columns: int, rows: int) -> Picture:
    first = number * columns * rows
    tiles = [
        _square(source.picture(_picture_number(source, seed, first + place)))
        for place in range(columns * rows)
    ]
    lines = [np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)]
    return np.vstack(lines)


def _square(picture: Picture, side: int = 250) -> Picture:
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    cut = picture[top : top + edge, left : left + edge]
    return np.asarray(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(picture: Picture, megapixels: float) -> Picture:
    height, width = picture.shape[:2]
    factor = float(np.sqrt(megapixels * 1e6 / (height * width)))
    size = (round(width * factor), round(height * factor))
    way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _jpeg(picture: Picture, seed: int, number: int) -> bytes:
    """With grain, at a quality of 85 to 92."""
    random = np.random.default_rng([seed, number])
    height, width = picture.shape[:2]
    # Two pixels wide: finer grain would be lost in the quantisation.
    coarse = random.standard_normal(((height + 1) // 2, (width + 1) // 2), np.float32) * _GRAIN
    grain = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    grained = cv2.add(picture, cv2.merge([grain, grain, grain]), dtype=cv2.CV_8U)
    quality = int(random.integers(85, 93))
    done, encoded = cv2.imencode(".jpg", grained, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV cannot write a JPEG")
    return encoded.tobytes()
