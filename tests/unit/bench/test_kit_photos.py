"""Photo sets: of the sizes they promise, and always the same."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.kit.photos import groups, mixed, originals, selfies
from bench.kit.picture_source import NoPictures, picture_source


def megapixels(photo: bytes) -> float:
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return pixels.size / 1e6


@pytest.mark.usefixtures("shared")
def test_selfies_spread_over_their_sizes_and_weigh_what_cameras_give() -> None:
    photos = selfies(12)
    sizes = [megapixels(photo) for photo in photos]
    assert 0.29 < min(sizes) < 0.6
    assert 1.7 < max(sizes) < 2.01
    weights = [len(photo) / size / 1000 for photo, size in zip(photos, sizes, strict=True)]
    assert 90 < np.mean(weights) < 170


@pytest.mark.usefixtures("shared")
def test_a_larger_set_begins_with_the_smaller_one() -> None:
    assert selfies(6)[:3] == selfies(3)
    assert selfies(3, seed=1) != selfies(3)


@pytest.mark.usefixtures("shared")
def test_groups_and_originals_have_the_sizes_they_promise() -> None:
    assert all(0.99 < megapixels(photo) < 6.01 for photo in groups(3))
    assert 11.9 < megapixels(originals(1)[0]) < 36.1


@pytest.mark.usefixtures("shared")
def test_a_mix_is_of_jpegs_all_different() -> None:
    photos = mixed(14)
    assert all(photo.startswith(b"\xff\xd8\xff") for photo in photos)
    assert len(set(photos)) == 14


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoPictures, match=r"holds no \.jpg"):
        picture_source(tmp_path)
