"""The cases that faces are looked for in, made of the test data: always the same photos."""

from __future__ import annotations

import importlib.resources
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bench.kit.picture_source import NoPictures, Picture, picture_source
from bench.kit.world import shared_data
from bench.recall import samples
from bench.recall.samples import Sample

SEED = 11
GROUP_OF = 12
CROWD_OF = 12
SHORT_COUNT = 12
"""Up to so many pictures only as many backgrounds are taken; else all."""


class Kind(StrEnum):
    """What is asked of a case."""

    PLAIN = "plain"
    """At least as many faces as FaceAnalysis."""
    TURNED = "turned"
    """More than it, unless it finds all."""
    FILLING = "frame-filling"
    TINY = "tiny"
    """With the setting for tiny faces on."""
    EMPTY = "empty"
    """Every face is a false one."""


@dataclass(frozen=True, slots=True)
class Case:
    """Photos that are hard in one way."""

    name: str
    kind: Kind
    samples: Sequence[Sample]


def cases(count: int) -> list[Case]:
    """All cases, those made of LFW with `count` pictures each. Raises NoPictures."""
    data = shared_data() / "data"
    source = picture_source(None)
    order = np.random.default_rng(SEED).permutation(len(source))[:count]
    pictures = [source.picture(int(number)) for number in order]
    backgrounds = _backgrounds(
        data / "train" / "backgrounds.zip", count if count <= SHORT_COUNT else None
    )
    return [
        *_of_lfw(pictures),
        *_crowds(pictures, backgrounds),
        *_of_photos(data),
        _case_of_insightface(),
        Case(
            f"{len(backgrounds)} backgrounds without faces",
            Kind.EMPTY,
            [samples.shrunk(one, 1.0, 0) for one in backgrounds],
        ),
    ]


def _of_lfw(pictures: Sequence[Picture]) -> list[Case]:
    random = np.random.default_rng(SEED)
    made: list[tuple[str, Kind, Callable[[Picture], Sample]]] = [
        ("portraits", Kind.PLAIN, samples.portrait),
        *(
            (f"turned by {degrees}°", Kind.TURNED, partial(samples.turned, degrees=degrees))
            for degrees in (90, 180, 270)
        ),
        *(
            (
                f"cut out at {size} of the box",
                Kind.FILLING,
                partial(samples.cropped, tightness=size),
            )
            for size in (1.3, 1.0, 0.8, 0.7, 0.6)
        ),
        ("crops of 112×112", Kind.FILLING, samples.aligned),
        *(
            (f"blurred, σ = {sigma}", Kind.PLAIN, partial(samples.blurred, sigma=sigma))
            for sigma in (4, 8)
        ),
        ("dark and noisy", Kind.PLAIN, partial(samples.dark, random=random)),
    ]
    all_made = [
        Case(name, kind, [make(picture) for picture in pictures]) for name, kind, make in made
    ]
    groups = [
        samples.group(pictures[first : first + GROUP_OF], 4)
        for first in range(0, len(pictures) - GROUP_OF + 1, GROUP_OF)
    ]
    portraits, *others = all_made
    return [portraits, Case(f"groups of {GROUP_OF}", Kind.PLAIN, groups), *others]


def _crowds(pictures: Sequence[Picture], backgrounds: Sequence[Picture]) -> list[Case]:
    return [
        Case(
            f"faces of {pixels} pixels on 640×480",
            Kind.TINY,
            [
                samples.crowd(
                    pictures[first : first + CROWD_OF],
                    backgrounds[first // CROWD_OF % len(backgrounds)],
                    pixels,
                )
                for first in range(0, len(pictures) - CROWD_OF + 1, CROWD_OF)
            ],
        )
        for pixels in (8, 10, 12, 16, 20)
    ]


def _of_photos(data: Path) -> list[Case]:
    """The real photos, by what is special about them; a face that may be there is not asked for."""
    index = json.loads((data / "photos.json").read_text("utf-8"))["photos"]
    groups: dict[str, tuple[Kind, list[Mapping[str, object]]]] = {
        "photos: turned": (Kind.TURNED, [one for one in index if one.get("turned_degrees")]),
        "photos: masks": (Kind.PLAIN, [one for one in index if "mask" in one["file"]]),
        "photos: poses": (Kind.PLAIN, [one for one in index if one["file"].startswith("pose_")]),
    }
    special = [one["file"] for _, some in groups.values() for one in some]
    others = [one for one in index if one["file"] not in special and one["faces_min"]]
    groups["photos: others"] = (Kind.PLAIN, others)
    return [
        Case(name, kind, [_photo(data / "photos", entry) for entry in entries])
        for name, (kind, entries) in groups.items()
    ]


def _photo(folder: Path, entry: Mapping[str, object]) -> Sample:
    degrees = entry.get("turned_degrees")
    return Sample(
        (folder / str(entry["file"])).read_bytes(),
        count=int(str(entry["faces_min"])),
        lean=None if degrees is None else float(str(degrees)),
    )


def _case_of_insightface() -> Case:
    """The group of six that insightface brings along, from its size down to faces of 9 pixels."""
    file = importlib.resources.files("insightface") / "data" / "images" / "t1.jpg"
    picture = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise NoPictures("insightface's own t1.jpg cannot be decoded")
    factors = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 10, 1 / 12)
    small = [samples.shrunk(np.asarray(picture, np.uint8), factor, 6) for factor in factors]
    return Case("insightface's t1.jpg, to a twelfth", Kind.TINY, small)


def _backgrounds(archive: Path, count: int | None) -> list[Picture]:
    if not archive.is_file():
        raise NoPictures(f"{archive} is not there")
    with zipfile.ZipFile(archive) as files:
        names = sorted(name for name in files.namelist() if name.endswith(".webp"))[:count]
        decoded = [
            cv2.imdecode(np.frombuffer(files.read(name), np.uint8), cv2.IMREAD_COLOR)
            for name in names
        ]
    return [np.asarray(picture, np.uint8) for picture in decoded if picture is not None]
