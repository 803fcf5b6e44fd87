"""Which files become photos, and under which names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from cli.errors import UsageError
from cli.indexing.walk import find_photos

JPEG = b"\xff\xd8\xff\xe0 and more"


def write(path: Path, data: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def ids(*paths: Path) -> list[str]:
    return [photo.photo_id for photo in find_photos(paths).photos]


def test_a_photo_is_called_by_its_path_below_the_given_one(tmp_path: Path) -> None:
    write(tmp_path / "album" / "day 1" / "a.jpg")
    assert ids(tmp_path / "album") == ["day 1/a.jpg"]
    assert ids(tmp_path) == ["album/day 1/a.jpg"]


def test_a_single_file_is_called_by_its_name(tmp_path: Path) -> None:
    assert ids(write(tmp_path / "me.webp")) == ["me.webp"]


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.Png", "a.WEBP"])
def test_extensions_count_in_any_case(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, b"whatever is inside")
    assert ids(tmp_path) == [name]


@pytest.mark.parametrize("first", [JPEG, b"\x89PNG\r\n\x1a\n....", b"RIFF\x01\x02\x03\x04WEBPVP8 "])
def test_a_wrongly_named_photo_is_known_by_its_first_bytes(tmp_path: Path, first: bytes) -> None:
    write(tmp_path / "photo.dat", first)
    write(tmp_path / "no_extension", first)
    assert ids(tmp_path) == ["no_extension", "photo.dat"]


def test_other_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"text")
    write(tmp_path / "b.HEIC", b"\x00\x00\x00\x18ftypheic")
    write(tmp_path / "c.heic", b"\x00\x00\x00\x18ftypheic")
    found = find_photos([tmp_path])
    assert found.photos == []
    assert found.passed_over == {".txt": 1, ".heic": 2}


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / ".thumbnails" / "a.jpg")
    write(tmp_path / "._a.jpg")
    write(tmp_path / "a.jpg")
    assert ids(tmp_path) == ["a.jpg"]


def test_names_are_normalised_to_nfc(tmp_path: Path) -> None:
    write(tmp_path / unicodedata.normalize("NFD", "Zoé.jpg"))
    assert ids(tmp_path) == [unicodedata.normalize("NFC", "Zoé.jpg")]


def test_two_files_that_would_be_one_photo_stop_everything(tmp_path: Path) -> None:
    write(tmp_path / "2023" / "a.jpg")
    write(tmp_path / "2024" / "a.jpg")
    with pytest.raises(UsageError, match=r"2023/a\.jpg and .*2024/a\.jpg"):
        find_photos([tmp_path / "2023", tmp_path / "2024"])


def test_two_spellings_of_one_name_stop_everything(tmp_path: Path) -> None:
    write(tmp_path / unicodedata.normalize("NFC", "é.jpg"))
    write(tmp_path / unicodedata.normalize("NFD", "é.jpg"))
    with pytest.raises(UsageError, match="would be one photo"):
        find_photos([tmp_path])


def test_a_path_given_twice_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    assert ids(tmp_path, tmp_path) == ["a.jpg"]


@pytest.mark.parametrize(
    "name", ["x" * 125 + ".jpg", "bell\x07.jpg", " lead.jpg", os.fsdecode(b"not-utf8-\xff.jpg")]
)
def test_a_name_that_cannot_be_an_id_is_listed_with_its_reason(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    found = find_photos([tmp_path])
    assert found.photos == []
    assert len(found.unusable) == 1


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "album" / "a.jpg")
    (tmp_path / "album" / "round").symlink_to(tmp_path / "album")
    assert ids(tmp_path / "album") == ["a.jpg"]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        find_photos([tmp_path / "nowhere"])
