"""What a person sees on the shared photos is what the service answers. (photos.json)"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.system import Client, Json, start_system

pytestmark = pytest.mark.pack


@dataclass(frozen=True)
class Expected:
    file: str
    faces_min: int
    faces_max: int
    person: str | None
    turned: bool


@pytest.fixture(scope="module")
def expected(shared: Path) -> list[Expected]:
    photos = json.loads((shared / "data" / "photos.json").read_text())["photos"]
    return [
        Expected(
            photo["file"],
            photo["faces_min"],
            photo["faces_max"],
            photo["person"],
            "turned_degrees" in photo,
        )
        for photo in photos
    ]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, pack_dir: Path) -> Iterator[Client]:
    with start_system(tmp_path_factory.mktemp("photos"), pack_dir) as system:
        yield system.client


@pytest.fixture(scope="module")
def enrolled(client: Client, expected: list[Expected], shared: Path) -> dict[str, Json]:
    folder = shared / "data" / "photos"
    return {
        photo.file: client.put_photo(photo.file, (folder / photo.file).read_bytes(), "photos")
        for photo in expected
    }


def test_every_photo_shows_as_many_faces_as_a_person_sees(
    enrolled: dict[str, Json], expected: list[Expected]
) -> None:
    wrong = {}
    for photo in expected:
        found = len(enrolled[photo.file]["faces"])
        if not photo.faces_min <= found <= photo.faces_max:
            wrong[photo.file] = f"{found}, not {photo.faces_min} to {photo.faces_max}"
    assert not wrong


def test_photos_of_one_person_find_each_other_first(
    client: Client, enrolled: dict[str, Json], expected: list[Expected], shared: Path
) -> None:
    # Photos turned without EXIF are left out until turned looks exist: an upright detector finds a
    # face there, and its embedding matches nobody.
    people: dict[str, list[Expected]] = {}
    for photo in expected:
        if photo.person in {"a", "rd", "kun", "rob_lowe", "woman"} and not photo.turned:
            people.setdefault(photo.person, []).append(photo)
    assert {name: len(photos) for name, photos in people.items()} == {
        "a": 4,
        "rd": 5,
        "kun": 6,
        "rob_lowe": 2,
        "woman": 2,
    }
    turned = {photo.file for photo in expected if photo.turned}
    missed = []
    for name, photos in people.items():
        files = {photo.file for photo in photos}
        for probe in files:
            image = (shared / "data" / "photos" / probe).read_bytes()
            answer = client.search(image, ["photos"], score_threshold=-1, top_k=50)
            others = [row["photo_id"] for row in answer["results"] if row["photo_id"] != probe]
            first = [file for file in others if file not in turned][: len(files) - 1]
            if set(first) != files - {probe}:
                missed.append(f"{name}: {probe} found {first}")
    assert not missed, "\n".join(missed)
