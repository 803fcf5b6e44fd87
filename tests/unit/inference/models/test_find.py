from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import PackError
from inference.models.find import find_pack, list_packs


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def pack(root: Path, name: str) -> Path:
    """A folder that looks like a pack."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "det.onnx").touch()
    (folder / "rec.onnx").touch()
    return folder


def insightface(home: Path) -> Path:
    return home / ".insightface" / "models"


def test_the_best_known_pack_comes_first_and_others_by_name(models: Path) -> None:
    for name in ("zebra", "buffalo_sc", "buffalo_l", "apple"):
        pack(models, name)

    assert [folder.name for folder in list_packs(models)] == [
        "buffalo_l",
        "buffalo_sc",
        "apple",
        "zebra",
    ]
    assert find_pack("auto", models) == models / "buffalo_l"


def test_the_named_folder_goes_before_that_of_insightface(models: Path, home: Path) -> None:
    pack(insightface(home), "buffalo_s")
    pack(insightface(home), "buffalo_m")
    ours = pack(models, "buffalo_s")

    assert find_pack("buffalo_s", models) == ours
    assert find_pack("buffalo_m", models) == insightface(home) / "buffalo_m"
    assert len(list_packs(models)) == 2


def test_without_a_folder_insightface_is_where_packs_are(home: Path) -> None:
    folder = pack(insightface(home), "buffalo_s")

    assert find_pack("auto", None) == folder


def test_the_models_dir_may_be_a_pack_itself(models: Path) -> None:
    folder = pack(models, "mbf128")

    assert list_packs(folder) == [folder]
    assert find_pack("auto", folder) == folder
    assert find_pack("mbf128", folder) == folder


def test_a_path_names_a_pack_anywhere(tmp_path: Path, models: Path) -> None:
    folder = pack(tmp_path / "elsewhere", "mine")

    assert find_pack(str(folder), models) == folder


def test_a_pack_one_folder_too_deep_is_found(models: Path) -> None:
    pack(models / "antelopev2", "antelopev2")

    assert find_pack("auto", models) == models / "antelopev2"


def test_a_folder_with_one_network_is_found_by_name_only(models: Path) -> None:
    pack(models, "broken")
    (models / "broken" / "rec.onnx").unlink()

    assert list_packs(models) == []
    assert find_pack("broken", models) == models / "broken"


def test_a_folder_in_the_working_directory_does_not_shadow_a_name(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path / "here", "buffalo_l")
    monkeypatch.chdir(tmp_path / "here")

    with pytest.raises(PackError, match="no pack 'buffalo_l'"):
        find_pack("buffalo_l", models)


def test_no_pack_at_all_says_what_to_copy_where(models: Path) -> None:
    with pytest.raises(PackError) as raised:
        find_pack("auto", models)

    assert str(models / "buffalo_l") in str(raised.value)
    assert "facesearch models pull buffalo_l" in str(raised.value)


def test_an_unknown_name_lists_what_there_is(models: Path) -> None:
    pack(models, "buffalo_s")

    with pytest.raises(PackError, match=r"no pack 'buffalo_x'.*found: buffalo_s.*models pull"):
        find_pack("buffalo_x", models)
