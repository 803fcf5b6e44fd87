"""Pulling, with a command in the place of insightface's downloader that takes a local file."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from inference.errors import PackError
from inference.models.pack import load_pack
from inference.models.pull import pull
from tests.unit.inference import networks

LIKE_INSIGHTFACE = """
import pathlib, shutil, sys, zipfile
source, name, root = sys.argv[1:]
target = pathlib.Path(root) / "models" / name
target.mkdir(parents=True)
shutil.copy(source, target.with_suffix(".zip"))
zipfile.ZipFile(source).extractall(target)
"""


def from_file(archive: Path) -> list[str]:
    """A command that fetches as insightface does, but from a local file."""
    return [sys.executable, "-c", LIKE_INSIGHTFACE, str(archive)]


def that_fails(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A zip file as the model zoo has it."""
    source = tmp_path / "source"
    source.mkdir()
    networks.detector(source / "det_500m.onnx")
    networks.recogniser(source / "w600k_mbf.onnx", dim=512)
    networks.other_task(source / "genderage.onnx", size=56)
    return zipped(source, tmp_path / "buffalo_s.zip")


def zipped(source: Path, archive: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as content:
        for file in sorted(source.iterdir()):
            content.write(file, f"{inside}{file.name}")
    return archive


def test_a_pulled_pack_is_there_whole_and_nothing_else(models: Path, archive: Path) -> None:
    folder = pull("buffalo_s", models, fetch=from_file(archive))

    assert folder == models / "buffalo_s"
    assert load_pack(folder).dim == 512
    assert [entry.name for entry in models.iterdir()] == ["buffalo_s"]


def test_progress_ends_with_the_size_of_the_download(models: Path, archive: Path) -> None:
    seen: list[int] = []

    pull("buffalo_s", models, seen.append, fetch=from_file(archive))

    assert seen == sorted(seen)
    assert seen[-1] == archive.stat().st_size


def test_antelopev2_lands_where_packs_are(models: Path, tmp_path: Path, archive: Path) -> None:
    deep = zipped(tmp_path / "source", tmp_path / "deep.zip", inside="antelopev2/")

    assert pull("antelopev2", models, fetch=from_file(deep)) == models / "antelopev2"
    assert (models / "antelopev2" / "det_500m.onnx").is_file()


def test_a_pack_that_is_there_is_not_fetched_again(models: Path, archive: Path) -> None:
    folder = pull("buffalo_s", models, fetch=from_file(archive))

    assert pull("buffalo_s", models, fetch=that_fails("raise SystemExit(1)")) == folder


def test_without_network_it_says_what_to_copy_where(models: Path) -> None:
    no_network = that_fails("raise ConnectionError('name resolution failed')")

    with pytest.raises(PackError) as raised:
        pull("buffalo_s", models, fetch=no_network)

    assert "could not be downloaded" in str(raised.value)
    assert str(models / "buffalo_s") in str(raised.value)
    assert not models.exists()


def test_without_insightface_it_says_so(models: Path) -> None:
    with pytest.raises(PackError, match="needs the insightface package"):
        pull("buffalo_s", models, fetch=that_fails("import a_package_that_nobody_has"))


def test_a_cut_download_leaves_nothing(models: Path, archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])

    with pytest.raises(PackError, match="damaged"):
        pull("buffalo_s", models, fetch=from_file(archive))

    assert not models.exists()


def test_a_download_that_is_no_pack_leaves_nothing(models: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    networks.other_task(source / "genderage.onnx", size=56)
    archive = zipped(source, tmp_path / "buffalo_s.zip")

    with pytest.raises(PackError, match=r"no pack.*holds no detector"):
        pull("buffalo_s", models, fetch=from_file(archive))

    assert not models.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-rf", "x" * 65])
def test_names_that_are_paths_or_options_are_refused(models: Path, name: str) -> None:
    with pytest.raises(PackError, match="is no name of a pack"):
        pull(name, models, fetch=that_fails("raise AssertionError"))


def test_a_folder_that_was_there_stays_when_nothing_comes(models: Path) -> None:
    models.mkdir()

    with pytest.raises(PackError):
        pull("buffalo_s", models, fetch=that_fails("raise ConnectionError('no network')"))

    assert list(models.iterdir()) == []
