from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from inference.errors import PackError
from inference.models.graphs import NEWEST_OPSET, Normalisation
from inference.models.pack import Pack, expect_dim, load_pack, space_id
from tests.unit.inference import networks

MANIFEST = """
id = "starter"
version = "1.2.0"
licence = "Apache-2.0"
dim = {dim}
thresholds_from = "pairs of people held out"

[[files]]
name = "det.onnx"
role = "detector"
sha256 = "{detector}"
{extra}

[[files]]
name = "rec.onnx"
role = "recogniser"
sha256 = "{recogniser}"

[[thresholds]]
false_match_rate = 1e-4
threshold = 0.40

[[thresholds]]
false_match_rate = 1e-2
threshold = 0.25
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pack of small networks without a pack.toml."""
    folder = tmp_path / "starter"
    folder.mkdir()
    networks.detector(folder / "det.onnx")
    networks.recogniser(folder / "rec.onnx", dim=16)
    return folder


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def describe(folder: Path, dim: int = 16, extra: str = "") -> None:
    """Write the pack.toml that fits the files as they are now."""
    text = MANIFEST.format(
        dim=dim,
        extra=extra,
        detector=sha256(folder / "det.onnx"),
        recogniser=sha256(folder / "rec.onnx"),
    )
    (folder / "pack.toml").write_text(text)


def test_a_folder_without_pack_toml_is_a_pack_by_inspection(folder: Path) -> None:
    pack = load_pack(folder)

    assert (pack.id, pack.dim, pack.licence) == ("starter", 16, "")
    assert pack.detector == folder / "det.onnx"
    assert pack.recogniser == folder / "rec.onnx"
    assert pack.sha256["rec.onnx"] == sha256(folder / "rec.onnx")
    assert pack.version == pack.digest[:12]


def test_files_of_other_tasks_are_ignored(folder: Path) -> None:
    before = load_pack(folder)
    networks.other_task(folder / "1k3d68.onnx", size=224)
    networks.other_task(folder / "genderage.onnx", size=56)

    assert load_pack(folder) == before


def test_the_space_is_made_of_the_recogniser_alone(folder: Path, tmp_path: Path) -> None:
    before = load_pack(folder)
    networks.detector(folder / "det.onnx", rows="contiguous")
    other_detector = load_pack(folder)
    networks.recogniser(folder / "rec.onnx", dim=32)
    other_recogniser = load_pack(folder)

    assert other_detector.space_id == before.space_id
    assert other_detector.version != before.version
    assert other_recogniser.space_id != before.space_id


def test_a_space_id_is_a_name_that_every_store_takes() -> None:
    found = space_id("ab" * 32, 512)

    assert found == space_id("ab" * 32, 512)
    assert found != space_id("ab" * 32, 128)
    assert found.startswith("space_")
    assert len(found) == len("space_") + 16
    assert found.isidentifier()


def test_pack_toml_gives_identity_licence_and_thresholds(folder: Path) -> None:
    describe(folder)

    pack = load_pack(folder)

    assert (pack.id, pack.version, pack.licence) == ("starter", "1.2.0", "Apache-2.0")
    assert [one.false_match_rate for one in pack.thresholds] == [1e-2, 1e-4]
    assert pack.thresholds_from == "pairs of people held out"


def test_pack_toml_may_name_the_margin_of_a_turn(folder: Path) -> None:
    describe(folder)
    assert load_pack(folder).turn_margin is None
    text = (folder / "pack.toml").read_text()
    (folder / "pack.toml").write_text("turn_margin = 0.15\n" + text)
    assert load_pack(folder).turn_margin == 0.15
    (folder / "pack.toml").write_text("turn_margin = 1.5\n" + text)
    with pytest.raises(PackError, match=r"pack\.toml: turn_margin: .*less than or equal to 1"):
        load_pack(folder)


def test_pack_toml_may_overrule_the_normalisation(folder: Path) -> None:
    describe(folder, extra="preprocessing = { mean = 100.0, std = 50.0 }")

    assert load_pack(folder).detector_graph.normalisation == Normalisation(100.0, 50.0)


def test_a_damaged_file_is_named_with_both_digests(folder: Path) -> None:
    describe(folder)
    content = bytearray((folder / "rec.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "rec.onnx").write_bytes(content)

    with pytest.raises(PackError, match=r"rec\.onnx is damaged or another version.*copy the pack"):
        load_pack(folder)


def test_swapped_files_are_said_to_be_swapped(folder: Path) -> None:
    describe(folder)
    (folder / "det.onnx").rename(folder / "other")
    (folder / "rec.onnx").rename(folder / "det.onnx")
    (folder / "other").rename(folder / "rec.onnx")

    with pytest.raises(PackError, match=r"det\.onnx is in truth rec\.onnx"):
        load_pack(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    describe(folder)
    (folder / "rec.onnx").unlink()

    with pytest.raises(PackError, match=r"rec\.onnx is missing"):
        load_pack(folder)


@pytest.mark.parametrize(("file", "role"), [("det.onnx", "detector"), ("rec.onnx", "recogniser")])
def test_without_pack_toml_a_missing_role_is_named(folder: Path, file: str, role: str) -> None:
    (folder / file).unlink()

    with pytest.raises(PackError, match=f"holds no {role}"):
        load_pack(folder)


def test_roles_that_pack_toml_mixes_up_are_refused(folder: Path) -> None:
    describe(folder)
    text = (folder / "pack.toml").read_text()
    text = text.replace('"detector"', '"x"').replace('"recogniser"', '"detector"')
    (folder / "pack.toml").write_text(text.replace('"x"', '"recogniser"'))

    with pytest.raises(PackError, match=r"rec\.onnx is no detector, but pack\.toml says so"):
        load_pack(folder)


def test_a_dim_that_pack_toml_gets_wrong_is_refused(folder: Path) -> None:
    describe(folder, dim=512)

    with pytest.raises(PackError, match=r"16 values, but pack\.toml .* says 512"):
        load_pack(folder)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('id = "starter"', "id = ", "is not TOML"),
        ('version = "1.2.0"', "", "version: Field required"),
        ('licence = "Apache-2.0"', 'license = "MIT"', "license: Extra inputs"),
        ('role = "detector"', 'role = "recogniser"', "one detector and one recogniser"),
        ('name = "det.onnx"', 'name = "../det.onnx"', r"files\.0\.name"),
        ("threshold = 0.40", "threshold = 4", r"thresholds\.0\.threshold"),
    ],
)
def test_a_wrong_pack_toml_says_where(folder: Path, before: str, after: str, message: str) -> None:
    describe(folder)
    text = (folder / "pack.toml").read_text()
    (folder / "pack.toml").write_text(text.replace(before, after))

    with pytest.raises(PackError, match=message):
        load_pack(folder)


def test_a_pack_that_was_unpacked_one_folder_too_deep_is_found(folder: Path) -> None:
    outer = folder.parent / "antelopev2"
    shutil.copytree(folder, outer / "antelopev2")

    pack = load_pack(outer)

    assert pack.folder == outer / "antelopev2"
    assert pack.space_id == load_pack(folder).space_id


def test_an_empty_folder_and_a_file_are_no_packs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(PackError, match=r"holds no \.onnx files"):
        load_pack(tmp_path)
    with pytest.raises(PackError, match="is not a folder"):
        load_pack(tmp_path / "file")


@pytest.mark.parametrize("file", ["det.onnx", "rec.onnx"])
def test_an_opset_that_does_not_run_here_is_refused_whatever_the_digests_say(
    folder: Path, file: str
) -> None:
    networks.exported_with(folder / file, opset=NEWEST_OPSET + 1)
    describe(folder)

    with pytest.raises(PackError, match=rf"{file}: opset {NEWEST_OPSET + 1}; export it again"):
        load_pack(folder)


def test_a_damaged_pack_that_came_with_facesearch_is_to_be_installed_again(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    describe(folder)
    (folder / "rec.onnx").unlink()

    with pytest.raises(PackError, match="models pull"):
        load_pack(folder)
    monkeypatch.setattr("inference.models.pack.is_embedded", lambda _folder: True)
    with pytest.raises(PackError, match=r"is missing; it came with facesearch: install .* again"):
        load_pack(folder)


def test_another_dim_than_expected_is_refused(folder: Path) -> None:
    pack = load_pack(folder)

    expect_dim(pack, None)
    expect_dim(pack, 16)
    with pytest.raises(PackError, match="16 values, but 512 are expected"):
        expect_dim(pack, 512)


@pytest.mark.pack
def test_the_weights_at_hand_are_a_pack(pack_dir: Path) -> None:
    pack: Pack = load_pack(pack_dir)

    assert pack.dim in (128, 512)
    assert pack.detector_graph.fixed_size is None
