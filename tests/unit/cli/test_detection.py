"""What a person sees on photos against what packs find: reading, comparing, printing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cli.errors import UsageError
from cli.evaluation.detection import DetectionFigures, SeenPhoto, strays
from cli.evaluation.expected import ExpectedPhoto, open_backgrounds, photos_in, read_expected


def photo(file: str, low: int = 1, high: int = 1, person: str | None = None) -> ExpectedPhoto:
    return ExpectedPhoto(file, low, high, person, is_turned=False)


def seen(*degrees: float, main: int | None = 0) -> SeenPhoto:
    """Faces as directions in the plane."""
    angles = np.radians(degrees)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return SeenPhoto(vectors, main if degrees else None, 0.01)


def write(path: Path, *photos: object) -> Path:
    path.write_text(json.dumps({"about": "whatever", "photos": photos}))
    return path


def test_the_file_says_what_a_person_sees(tmp_path: Path) -> None:
    file = write(
        tmp_path / "expected.json",
        {"file": "a.jpg", "faces_min": 1, "faces_max": 3, "note": "others count or not"},
        {"file": "b.jpg", "faces_min": 0, "faces_max": 0, "person": "ann", "turned_degrees": 90},
    )
    assert read_expected(file) == [
        ExpectedPhoto("a.jpg", 1, 3, None, is_turned=False),
        ExpectedPhoto("b.jpg", 0, 0, "ann", is_turned=True),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "the file"),
        ("[]", "the file"),
        ('{"photos": []}', "photos"),
        ('{"photos": [{"file": "a.jpg", "faces_min": 1}]}', "photos.0.faces_max"),
        ('{"photos": [{"file": "a.jpg", "faces_min": -1, "faces_max": 1}]}', "photos.0.faces_min"),
        ('{"photos": [{"file": "a.jpg", "faces_min": 2, "faces_max": 1}]}', "above its faces_max"),
        (
            json.dumps({"photos": [{"file": "a.jpg", "faces_min": 1, "faces_max": 1}] * 2}),
            "a.jpg twice",
        ),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "expected.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_expected(path)


def test_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UsageError, match=r"lacks 1 of the 2 photos, such as b\.jpg"):
        photos_in(tmp_path, [photo("a.jpg"), photo("b.jpg")])


def test_backgrounds_come_from_a_folder_and_from_a_zip(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.webp").write_bytes(b"wood")
    (folder / "README.md").write_text("no image")
    packed = tmp_path / "empty.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(folder / "deep" / "a.webp", "deep/a.webp")
    for source in (folder, packed):
        with open_backgrounds(source) as images:
            assert images is not None
            assert {name: images.read(name) for name in images.names} == {"deep/a.webp": b"wood"}
    with open_backgrounds(None) as images:
        assert images is None


@pytest.mark.parametrize("name", ["nowhere.zip", "text.zip", "none"])
def test_backgrounds_without_an_image_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(UsageError), open_backgrounds(tmp_path / name):
        pass


def test_photos_of_one_person_must_find_each_other_before_any_other() -> None:
    people = {"ann1": "ann", "ann2": "ann", "bo1": "bo", "bo2": "bo", "other": None}
    expected = [photo(file, person=person) for file, person in people.items()]
    views = {
        "ann1": seen(0),
        # Of several faces the best one counts for being found.
        "ann2": seen(90, 5, main=1),
        "bo1": seen(200),
        "bo2": seen(260),
        "other": seen(240),
    }
    assert strays(expected, views) == {"ann": [], "bo": ["bo1", "bo2"]}


def test_a_photo_without_a_face_finds_nobody_and_is_found_by_nobody() -> None:
    expected = [photo("ann1", person="ann"), photo("ann2", person="ann"), photo("other")]
    views = {"ann1": seen(0), "ann2": seen(), "other": seen(180)}
    assert strays(expected, views) == {"ann": ["ann1", "ann2"]}


def test_who_is_on_one_photo_only_is_not_asked_for() -> None:
    assert strays([photo("ann", person="ann")], {"ann": seen(0)}) == {}


def test_turned_photos_are_counted_apart() -> None:
    upright, turned = photo("a.jpg", 1, 2), ExpectedPhoto("t.jpg", 1, 1, None, is_turned=True)
    figures = DetectionFigures([upright, turned], {"a.jpg": 3, "t.jpg": 0}, {}, None, 1.0)
    assert figures.differing(is_turned=False) == [upright]
    assert figures.differing(is_turned=True) == [turned]
    assert (upright.faces_text, turned.faces_text) == ("1 to 2", "1")
