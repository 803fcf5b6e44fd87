"""Writing down who and what was held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.data.heldout import backgrounds_in_order, held_out_people, write_backgrounds
from training.data.people import RefusedPeople, is_held_out
from training.data.sources import Source

# Digits do not count in the names of people refused.
NAMES = [f"Person_{one}{two}" for one in "ABCDE" for two in "abcdefgh"]
NOBODY = RefusedPeople(frozenset())


@pytest.fixture
def source(tmp_path: Path) -> Source:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in NAMES:
        for number in (1, 2):
            (folder / f"{name}_{number:04d}.webp").write_bytes(name.encode())
    return Source("lfw", folder, "somewhere", "research", (320,), has_names=True)


def test_the_people_held_out_are_listed_once_each(source: Source) -> None:
    held_out = [name for name in NAMES if is_held_out(name)]
    assert 0 < len(held_out) < len(NAMES)
    assert held_out_people(source, NOBODY) == sorted(held_out)
    refused = RefusedPeople(frozenset(held_out[:1]))
    assert held_out_people(source, refused) == sorted(held_out[1:])


def test_the_backgrounds_held_out_are_those_first_by_digest(source: Source, tmp_path: Path) -> None:
    output = tmp_path / "backgrounds"
    assert write_backgrounds(replace(source, has_names=False), NOBODY, output) == 60
    names = sorted(path.name for path in source.path.iterdir())
    first = {names[place] for place in backgrounds_in_order(names)[:60]}
    assert {path.name for path in output.iterdir()} == first
