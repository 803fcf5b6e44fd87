"""Reading LFW's images and pairs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cli.errors import UsageError
from cli.evaluation.lfw import Pair, open_images, person_of, read_pairs


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_folds_come_as_the_file_gives_them(tmp_path: Path) -> None:
    text = "2\t1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tBo\t3\nBo\t1\t2\nBo\t10\tAnn_Lee\t2\n"
    assert read_pairs(write(tmp_path / "pairs.txt", text)) == [
        [
            Pair("Ann_Lee_0001", "Ann_Lee_0002", same=True),
            Pair("Ann_Lee_0001", "Bo_0003", same=False),
        ],
        [Pair("Bo_0001", "Bo_0002", same=True), Pair("Bo_0010", "Ann_Lee_0002", same=False)],
    ]


def test_a_header_of_one_number_is_one_fold(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path / "dev.txt", "1\nAnn\t1\t2\nAnn\t1\tBo\t3\n"))
    assert [len(fold) for fold in pairs] == [2]


@pytest.mark.parametrize(
    "text",
    ["", "Ann\t1\t2\n", "1\t2\nAnn\t1\t2\n", "1\t1\nAnn\t1\t2\nBo\tx\ty\n", "0\t5\n"],
    ids=["empty", "no header", "too few", "not a pair", "no folds"],
)
def test_a_file_that_is_no_pairs_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        read_pairs(write(tmp_path / "pairs.txt", text))


def test_the_shared_pairs_are_seven_folds_of_six_hundred(shared: Path) -> None:
    folds = read_pairs(shared / "data" / "lfw-dev-pairs.txt")
    assert [len(fold) for fold in folds] == [600] * 7
    assert all(sum(pair.same for pair in fold) == 300 for fold in folds)


def test_a_folder_and_a_zip_of_any_extension_read_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "lfw"
    (folder / "Ann_Lee").mkdir(parents=True)
    (folder / "Ann_Lee" / "Ann_Lee_0001.webp").write_bytes(b"one")
    (folder / "Ann_Lee_0002.PNG").write_bytes(b"two")
    (folder / "README.md").write_bytes(b"no image of LFW's")
    packed = tmp_path / "lfw.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*_0*"):
            archive.write(path, path.relative_to(folder))
    for source in (folder, packed):
        with open_images(source) as images:
            assert images.names == ["Ann_Lee_0001", "Ann_Lee_0002"]
            assert images.read("Ann_Lee_0002") == b"two"


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for extension in ("jpg", "webp"):
        (tmp_path / f"Ann_0001.{extension}").touch()
    with pytest.raises(UsageError, match="Ann_0001 twice"), open_images(tmp_path):
        pass


@pytest.mark.parametrize("name", ["nowhere", "empty", "text.zip"])
def test_a_source_without_images_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(UsageError), open_images(tmp_path / name):
        pass


def test_the_person_is_the_name_without_its_number() -> None:
    assert person_of("Abel_Pacheco_0004") == "Abel_Pacheco"
