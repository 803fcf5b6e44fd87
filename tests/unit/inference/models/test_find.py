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


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """What is embedded in a build that leaves the weights out."""
    return tmp_path / "nothing"


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """What comes with facesearch."""
    pack(tmp_path / "embedded", "starter")
    return tmp_path / "embedded"


def insightface(home: Path) -> Path:
    return home / ".insightface" / "models"


def test_the_best_known_pack_comes_first_and_others_by_name(models: Path, nothing: Path) -> None:
    for name in ("zebra", "buffalo_sc", "buffalo_l", "apple"):
        pack(models, name)

    assert [folder.name for folder in list_packs(models, embedded=nothing)] == [
        "buffalo_l",
        "buffalo_sc",
        "apple",
        "zebra",
    ]
    assert find_pack("auto", models) == models / "buffalo_l"


def test_the_named_folder_goes_before_that_of_insightface(
    models: Path, home: Path, nothing: Path
) -> None:
    pack(insightface(home), "buffalo_s")
    pack(insightface(home), "buffalo_m")
    ours = pack(models, "buffalo_s")

    assert find_pack("buffalo_s", models) == ours
    assert find_pack("buffalo_m", models) == insightface(home) / "buffalo_m"
    assert len(list_packs(models, embedded=nothing)) == 2


def test_the_default_is_the_embedded_pack_whatever_else_was_fetched(
    home: Path, embedded: Path
) -> None:
    assert find_pack("auto", None, embedded=embedded) == embedded / "starter"

    pulled = pack(insightface(home), "buffalo_l")

    assert find_pack("auto", None, embedded=embedded) == embedded / "starter"
    assert find_pack("buffalo_l", None, embedded=embedded) == pulled


def test_in_a_folder_that_was_named_the_default_is_the_best_known_pack(
    models: Path, home: Path, embedded: Path
) -> None:
    pack(insightface(home), "antelopev2")
    pack(models, "mine")
    ours = pack(models, "buffalo_s")

    assert find_pack("auto", models, embedded=embedded) == ours


def test_a_folder_without_packs_is_refused_though_there_are_some_elsewhere(
    models: Path, home: Path, embedded: Path
) -> None:
    pack(insightface(home), "buffalo_l")
    models.mkdir()

    with pytest.raises(PackError, match=rf"no pack was found in {models};.*starter .* built in"):
        find_pack("auto", models, embedded=embedded)


def test_a_starter_of_the_named_folder_hides_the_embedded_one_and_that_hides_a_pulled_one(
    models: Path, home: Path, embedded: Path
) -> None:
    pack(insightface(home), "starter")
    assert find_pack("starter", None, embedded=embedded) == embedded / "starter"
    assert list_packs(None, embedded=embedded) == [embedded / "starter"]

    ours = pack(models, "starter")
    assert find_pack("starter", models, embedded=embedded) == ours
    assert list_packs(models, embedded=embedded) == [ours]


def test_an_embedded_pack_that_lost_its_networks_is_still_the_default(
    home: Path, embedded: Path
) -> None:
    pack(insightface(home), "buffalo_l")
    (embedded / "starter" / "pack.toml").touch()
    for name in ("det.onnx", "rec.onnx"):
        (embedded / "starter" / name).unlink()

    # To be refused with what is missing: another pack would be another space.
    assert find_pack("auto", None, embedded=embedded) == embedded / "starter"
    assert embedded / "starter" in list_packs(None, embedded=embedded)


def test_a_licence_alone_is_no_embedded_pack(home: Path, nothing: Path) -> None:
    (nothing / "starter").mkdir(parents=True)
    (nothing / "starter" / "LICENSE").touch()
    pulled = pack(insightface(home), "buffalo_s")

    assert find_pack("auto", None, embedded=nothing) == pulled


def test_the_folder_of_embedded_packs_is_no_pack(embedded: Path) -> None:
    with pytest.raises(PackError, match=f"no pack {embedded.name!r}"):
        find_pack(embedded.name, None, embedded=embedded)


def test_a_user_without_a_home_has_the_embedded_pack(
    embedded: Path, nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)

    assert find_pack("auto", None, embedded=embedded) == embedded / "starter"
    assert find_pack("starter", None, embedded=embedded) == embedded / "starter"
    with pytest.raises(PackError, match="no home folder"):
        find_pack("auto", None, embedded=nothing)


def test_without_an_embedded_pack_the_default_is_the_best_one_that_was_fetched(
    home: Path, nothing: Path
) -> None:
    folder = pack(insightface(home), "buffalo_s")

    assert find_pack("auto", None, embedded=nothing) == folder


def test_the_models_dir_may_be_a_pack_itself(models: Path) -> None:
    folder = pack(models, "mbf128")

    assert list_packs(folder)[0] == folder
    assert find_pack("auto", folder) == folder
    assert find_pack("mbf128", folder) == folder


def test_a_path_names_a_pack_anywhere(tmp_path: Path, models: Path) -> None:
    folder = pack(tmp_path / "elsewhere", "mine")

    assert find_pack(str(folder), models) == folder


def test_a_pack_one_folder_too_deep_is_found(models: Path) -> None:
    pack(models / "antelopev2", "antelopev2")

    assert find_pack("auto", models) == models / "antelopev2"


def test_a_folder_with_one_network_is_found_by_name_only(models: Path, nothing: Path) -> None:
    pack(models, "broken")
    (models / "broken" / "rec.onnx").unlink()

    assert list_packs(models, embedded=nothing) == []
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


def test_every_embedded_pack_is_listed_among_what_there_is(embedded: Path) -> None:
    with pytest.raises(PackError, match=rf"in {embedded} or .*found: starter"):
        find_pack("buffalo_x", None, embedded=embedded)
