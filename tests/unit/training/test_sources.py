"""Where images come from, and which of them are held out."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.people import RefusedPeople
from training.data.sources import extra_source
from training.errors import TrainingError

NOBODY = RefusedPeople(frozenset())
IMAGES = 200


def folder_of(tmp_path: Path, settings: str) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(IMAGES):
        (images / f"Person{number}_0001.jpg").write_bytes(b"not read here")
    about = f'origin = "somewhere"\nlicence = "CC0"\n{settings}'
    (tmp_path / "SOURCE.toml").write_text(about, encoding="utf-8")
    return tmp_path


def held_out(folder: Path) -> int:
    return sum(image.is_held_out for image in extra_source(folder).images(NOBODY))


def test_a_fifth_of_the_images_is_held_out(tmp_path: Path) -> None:
    assert 20 < held_out(folder_of(tmp_path, "")) < 60


def test_a_set_may_be_trained_on_as_a_whole(tmp_path: Path) -> None:
    assert held_out(folder_of(tmp_path, "held_out = false")) == 0


def test_people_with_names_are_held_out_whatever_the_set_says(tmp_path: Path) -> None:
    assert 20 < held_out(folder_of(tmp_path, "has_names = true\nheld_out = false")) < 60


def test_a_set_without_a_licence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SOURCE.toml").write_text('origin = "somewhere"', encoding="utf-8")
    with pytest.raises(TrainingError, match="must give origin and licence"):
        extra_source(tmp_path)
