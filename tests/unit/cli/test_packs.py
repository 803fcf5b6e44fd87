"""What `facesearch models` says of the packs that there are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cli.packs.show import show_pack, show_packs
from inference.models.find import embedded_starter
from tests.unit.inference import networks

MANIFEST = """
id = "ours"
version = "1.2.0"
licence = "research only"
thresholds_from = "pairs of people held out"
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A pack that says who it is and has its licence beside it, and one that lost a network."""
    ours, damaged = tmp_path / "models" / "ours", tmp_path / "models" / "damaged"
    for folder in (ours, damaged):
        folder.mkdir(parents=True)
        text = MANIFEST
        for role, file in (
            ("detector", networks.detector(folder / "det.onnx")),
            ("recogniser", networks.recogniser(folder / "rec.onnx")),
        ):
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            text += f'[[files]]\nname = "{file.name}"\nrole = "{role}"\nsha256 = "{sha256}"\n'
        text += "[[thresholds]]\nfalse_match_rate = 1e-3\nthreshold = 0.35\n"
        (folder / "pack.toml").write_text(text)
    (ours / "LICENSE").write_text("for research")
    (damaged / "rec.onnx").unlink()
    return tmp_path / "models"


def test_the_list_says_where_a_pack_is_and_its_licence_and_which_is_the_default(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_packs(models, as_json=True)
    rows = {row["pack"]: row for row in json.loads(capsys.readouterr().out)}
    # By name, as none of them is known: the damaged one would be taken, and be refused.
    assert [name for name, row in rows.items() if row["is_default"]] == ["damaged"]
    assert rows["ours"]["folder"] == str(models / "ours")
    assert rows["ours"]["licence"] == "research only"
    assert "rec.onnx is missing" in rows["damaged"]["error"]

    show_packs(models, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    (damaged,) = (line for line in lines if line.strip().startswith("damaged"))
    assert damaged.split()[:3] == ["damaged", "default", "damaged"]
    (ours,) = (line for line in lines if line.strip().startswith("ours"))
    assert "1.2.0" in ours
    assert "research only" in ours


def test_a_pack_tells_its_thresholds_with_the_data_they_come_from_and_its_licence(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show_pack("ours", models, as_json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "thresholds FMR 0.001: 0.35" in lines
    assert "thresholds from pairs of people held out" in lines
    assert "licence research only" in lines
    assert f"licence file {models / 'ours' / 'LICENSE'}" in lines


def test_what_a_pack_does_not_say_is_left_open(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("pack.toml", "LICENSE"):
        (models / "ours" / name).unlink()
    show_pack("ours", models, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["licence"], facts["licence_file"]) == ("not stated", None)
    assert (facts["thresholds"], facts["thresholds_from"]) == ({}, None)


def test_the_embedded_pack_is_listed_as_the_default_of_whoever_names_no_folder(
    starter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert starter == embedded_starter()
    show_packs(None, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["pack"], row["is_default"], row["error"]) == ("starter", True, None)
    assert row["folder"] == str(starter)
    assert row["licence"] != "not stated"
