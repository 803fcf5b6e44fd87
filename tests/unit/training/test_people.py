"""Who may be trained on."""

import zipfile
from pathlib import Path

import pytest

from training.data.people import RefusedPeople, is_held_out, person_of
from training.data.sources import Source
from training.errors import TrainingError


@pytest.fixture
def refused(tmp_path: Path) -> RefusedPeople:
    file = tmp_path / "refused.txt"
    file.write_text("José_O'Neill\nAaron_Tippin\n", encoding="utf-8")
    return RefusedPeople.read(file)


def test_a_fifth_of_the_people_is_held_out_and_always_the_same() -> None:
    names = [f"Person_{number}" for number in range(2000)]
    held_out = [name for name in names if is_held_out(name)]
    assert 340 < len(held_out) < 460
    # int(sha256(name), 16) % 5: another rule would train on people that figures are given for.
    known = ("Tony_Blair", "Donald_Rumsfeld", "George_W_Bush", "Colin_Powell")
    assert [is_held_out(name) for name in known] == [True, True, False, False]


def test_the_person_is_read_off_the_name_of_the_image() -> None:
    assert person_of("Abel_Pacheco/Abel_Pacheco_0001.webp") == "Abel_Pacheco"


def test_refused_people_are_known_however_another_set_writes_them(refused: RefusedPeople) -> None:
    assert "jose oneill" in refused
    assert "Aaron Tippin" in refused
    assert "Aaron_Eckhart" not in refused


def test_a_list_that_names_nobody_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(TrainingError, match="names nobody"):
        RefusedPeople.read(tmp_path / "empty.txt")


def test_images_of_refused_people_are_never_read(tmp_path: Path, refused: RefusedPeople) -> None:
    file = tmp_path / "set.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Aaron_Tippin/Aaron_Tippin_0001.webp", b"refused")
        archive.writestr("Zoe_Ball/Zoe_Ball_0001.webp", b"admitted")
    source = Source("set", file, "here", "none", looks=(160,), has_names=True)
    assert [image.data for image in source.images(refused)] == [b"admitted"]
