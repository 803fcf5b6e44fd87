"""What a person sees on the shared photos is what the service answers. (photos.json)"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.processes import start_inference
from tests.integration.system import Client, Json, client_of, start_edge

pytestmark = pytest.mark.pack


@dataclass(frozen=True)
class Expected:
    file: str
    faces_min: int
    faces_max: int
    person: str | None
    turned_degrees: int
    """How far the photo was turned clockwise, without EXIF; 0: it stands upright."""


@pytest.fixture(scope="module")
def expected(shared: Path) -> list[Expected]:
    photos = json.loads((shared / "data" / "photos.json").read_text())["photos"]
    return [
        Expected(
            photo["file"],
            photo["faces_min"],
            photo["faces_max"],
            photo["person"],
            photo.get("turned_degrees", 0),
        )
        for photo in photos
    ]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, pack_dir: Path) -> Iterator[Client]:
    # Half of one person's photos are turned without EXIF, and each is a probe too.
    with (
        start_inference(pack_dir, SESSIONS="2", TURNED_LOOKS="always") as inference,
        start_edge(tmp_path_factory.mktemp("photos"), inference.address) as edge,
        client_of(edge) as client,
    ):
        yield client


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


def test_a_photo_turned_without_exif_says_which_turn_sets_its_face_upright(
    enrolled: dict[str, Json], expected: list[Expected]
) -> None:
    stored = [photo for photo in expected if photo.person == "kun"]
    said = {
        photo.file: [face["turn"] for face in enrolled[photo.file]["faces"]] for photo in stored
    }
    assert said == {photo.file: [-photo.turned_degrees % 360] for photo in stored}


def test_photos_of_one_person_find_each_other_first(
    client: Client, enrolled: dict[str, Json], expected: list[Expected], shared: Path
) -> None:
    people: dict[str, list[Expected]] = {}
    for photo in expected:
        if photo.person in {"a", "rd", "kun", "rob_lowe", "woman"}:
            people.setdefault(photo.person, []).append(photo)
    assert {name: len(photos) for name, photos in people.items()} == {
        "a": 4,
        "rd": 5,
        "kun": 12,
        "rob_lowe": 2,
        "woman": 2,
    }
    missed = []
    for name, photos in people.items():
        files = {photo.file for photo in photos}
        for probe in files:
            image = (shared / "data" / "photos" / probe).read_bytes()
            answer = client.search(image, ["photos"], score_threshold=-1, top_k=50)
            others = [row["photo_id"] for row in answer["results"] if row["photo_id"] != probe]
            first = others[: len(files) - 1]
            if set(first) != files - {probe}:
                missed.append(f"{name}: {probe} found {first}")
    assert not missed, "\n".join(missed)
