"""The photos of an acceptance: as many as are asked for, all different, always the same."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.acceptance.photo_files import write_photos
from bench.acceptance.samples import padded, sky
from bench.acceptance.variants import PhotoSet, Variant
from bench.kit.picture_source import picture_source
from tests.unit.bench.acceptance.pictures import picture_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of three pictures."""
    place = tmp_path / "pictures"
    place.mkdir()
    return picture_folder(place, 3)


def photo_set(folder: Path, *, first: tuple[int, ...] = (), seed: int = 0) -> PhotoSet:
    return PhotoSet(picture_source(folder), first, seed)


def test_no_two_photos_of_a_set_have_the_same_bytes_or_the_same_pixels(folder: Path) -> None:
    photos = [photo_set(folder).photo(number) for number in range(60)]
    pixels = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_COLOR) for one in photos]
    assert len(set(photos)) == 60
    assert len({one.tobytes() for one in pixels if one is not None}) == 60


def test_a_seed_makes_the_same_photos_again_and_another_one_others(folder: Path) -> None:
    assert photo_set(folder).photo(40) == photo_set(folder).photo(40)
    assert photo_set(folder, seed=1).photo(40) != photo_set(folder).photo(40)


def test_a_set_begins_with_the_pictures_as_they_are_and_those_asked_for_first(
    folder: Path,
) -> None:
    photos = photo_set(folder, first=(2, 2, 1))
    files = [(folder / f"{number}.png").read_bytes() for number in (2, 1, 0)]
    assert [photos.photo(number) for number in range(3)] == files
    assert [photos.person(number) for number in range(4)] == ["2.png", "1.png", "0.png", "2.png"]


def test_variants_are_mirrored_in_turns_scaled_and_lit() -> None:
    variants = [Variant.of(seed=0, picture=7, round_=number) for number in range(1, 41)]
    assert [one.is_mirrored for one in variants[:4]] == [True, False, True, False]
    assert min(one.scale for one in variants) < 1 < max(one.scale for one in variants)
    assert min(one.light for one in variants) < 1 < max(one.light for one in variants)
    assert len({one.quality for one in variants}) > 5


def test_a_variant_does_to_a_picture_what_it_says() -> None:
    left_is_bright = np.zeros((10, 20, 3), np.uint8)
    left_is_bright[:, :10] = 100
    made = Variant(is_mirrored=True, scale=2.0, light=1.2, quality=90).apply(left_is_bright)
    assert made.shape == (20, 40, 3)
    assert made[:, :15].max() == 0
    assert made[:, 25:].min() == 120


def test_photos_are_dealt_out_to_the_collections_under_the_names_of_their_people(
    folder: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    place = tmp_path / "photos"
    first, second = write_photos(photo_set(folder), 7, ["a", "b"], place, said.append)
    assert [(one.name, one.photos) for one in (first, second)] == [("a", 4), ("b", 3)]
    files = sorted(file.relative_to(first.folder).as_posix() for file in first.folder.glob("*/*"))
    # The pictures as they are, then variants, which are JPEGs.
    assert files == ["0.png/000000.png", "0.png/000006.jpg", "1.png/000004.jpg", "2.png/000002.png"]
    assert len(list(second.folder.glob("*/*"))) == 3


def test_a_sample_too_large_begins_as_the_photo_does() -> None:
    assert padded(b"\xff\xd8", 5) == b"\xff\xd8\0\0\0"
    assert sky().shape == (480, 640, 3)
    assert sky().dtype == np.uint8
