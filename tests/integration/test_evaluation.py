"""`facesearch eval` as a user runs it, on real photos with real weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = [pytest.mark.pack, pytest.mark.timeout(300)]

PEOPLE = 20
"""Two in each of the ten folds: an impostor pair needs two."""


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "eval", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def people(shared: Path, tmp_path: Path) -> Path:
    """Two images each of some people of LFW, and one whom nobody asks for."""
    with zipfile.ZipFile(shared / "data" / "lfw-dev.zip") as archive:
        images = defaultdict[str, list[str]](list)
        for name in sorted(archive.namelist()):
            if name.endswith(".webp"):
                images[name.split("/")[0]].append(name)
        some = [person for person, names in images.items() if len(names) > 1][: PEOPLE + 1]
        for person in some:
            for name in images[person][:2]:
                archive.extract(name, tmp_path / "lfw")
    (tmp_path / "people.txt").write_text("\n".join(some[:PEOPLE]))
    return tmp_path


def test_pairs_made_of_some_people_are_judged(people: Path, pack_dir: Path) -> None:
    done = evaluate(
        *("lfw", "--images", str(people / "lfw"), "--people", str(people / "people.txt")),
        *("--generate", "20", "--seed", "3", "--pack", str(pack_dir), "--json"),
    )
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)["packs"]
    assert (figures["images"], figures["pairs"]) == (2 * PEOPLE, 40)
    assert len(figures["fold_accuracies"]) == 10
    assert figures["share_with_face"] >= 0.95
    assert figures["accuracy"] >= 0.85
    low, high = figures["accuracy_95"]
    assert low < figures["accuracy"] <= high


def test_two_packs_count_the_faces_of_photos_side_by_side(
    shared: Path, pack_dir: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(pack_dir, other)
    told = json.loads((shared / "data" / "photos.json").read_text())["photos"]
    clear = [photo for photo in told if photo["file"] in {"RD_d1.jpeg", "RD_d2.jpeg"}]
    wrong = {"file": "RD_d4.jpeg", "faces_min": 7, "faces_max": 9, "person": "rd"}
    expected = tmp_path / "expected.json"
    expected.write_text(json.dumps({"photos": [*clear, wrong]}))
    done = evaluate(
        *("detection", "--photos", str(shared / "data" / "photos"), "--expected", str(expected)),
        *("--pack", str(pack_dir), "--pack", str(other), "--json", "--fail-above", "0"),
    )
    assert done.returncode == 1, done.stderr
    assert "on more than 0 photos" in done.stderr
    packs = json.loads(done.stdout)["packs"]
    assert len(packs) == 2
    for figures in packs:
        assert figures["differing"] == {
            "RD_d4.jpeg": {"found": 1, "faces_min": 7, "faces_max": 9},
        }
        assert (figures["persons"], figures["persons_apart"]) == (1, {})
        assert figures["backgrounds"] is None
        assert figures["p50_ms"] > 0
