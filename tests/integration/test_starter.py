"""The pack that comes with facesearch, on real photos that come with the packages it installs.

Nothing here needs test data, a download or a home: this is what anyone has after `make setup`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from cli.demonstration.photos import bundled_photos
from cli.demonstration.selfies import selfie_of
from inference.bare import ENROLMENT, SEARCH, BareEngine, open_bare
from inference.models.licence import licence_file
from inference.models.pack import load_pack
from inference.pipeline.faces import Analysis, FloatArray
from inference.settings import load_settings
from tests.integration.processes import run

pytestmark = [pytest.mark.pack, pytest.mark.slow]

FACES = {"t1.jpg": 6, "astronaut.png": 1, "chelsea.png": 0, "rocket.jpg": 0, "coffee.png": 0}
VERSIONS = ((0.7, 6.0, 70), (1.3, -5.0, 60), (0.85, 4.0, 80))
"""Of a photo that a selfie is cut from: scale, degrees, JPEG quality."""
WAIT_SECONDS = 120.0


@pytest.fixture(scope="module")
def engine(starter: Path) -> BareEngine:
    engine, *_ = open_bare(load_settings({}, pack=str(starter), sessions=1, cache_dir="none"))
    return engine


@pytest.fixture(scope="module")
def photos() -> Mapping[str, bytes]:
    return {photo.photo_id: photo.path.read_bytes() for photo in bundled_photos()}


@pytest.fixture(scope="module")
def seen(engine: BareEngine, photos: Mapping[str, bytes]) -> Mapping[str, Analysis]:
    return {name: engine.analyze(photo, ENROLMENT) for name, photo in photos.items()}


def test_each_face_is_found_and_nothing_else(seen: Mapping[str, Analysis]) -> None:
    assert {name: len(analysis.faces) for name, analysis in seen.items()} == FACES


def test_a_selfie_finds_its_own_face_before_all_others(
    engine: BareEngine, photos: Mapping[str, bytes], seen: Mapping[str, Analysis]
) -> None:
    faces = [(name, number) for name, count in FACES.items() for number in range(count)]
    gallery = np.stack([_embedding(seen[name], number) for name, number in faces])
    for scale, degrees, quality in VERSIONS:
        found = []
        for name, number in faces:
            x1, y1, x2, y2 = seen[name].faces[number].box
            selfie = selfie_of(
                photos[name],
                (x1, y1, x2 - x1, y2 - y1),
                scale=scale,
                degrees=degrees,
                quality=quality,
            )
            probe = engine.analyze(selfie, SEARCH)
            assert probe.faces_counted == 1
            found.append(faces[int(np.argmax(gallery @ _embedding(probe, 0)))])
        assert found == faces


def test_the_demo_finds_everything_with_an_empty_home_and_no_settings(
    starter: Path, tmp_path: Path
) -> None:
    home = {"HOME": str(tmp_path / "home"), "FACESEARCH_MODELS": ""}
    sheet = tmp_path / "found.png"
    command = [sys.executable, "-m", "cli.main", "demo", "--sheet", str(sheet)]
    with run(command, home) as process:
        assert process.wait(WAIT_SECONDS) == 0, process.text()
        said = process.text()
    pack = load_pack(starter)
    assert f"pack starter {pack.version}, licence: {pack.licence}" in said
    assert "7 of 7 selfies" in said
    assert sheet.is_file()


def test_it_says_what_it_may_be_used_for_and_from_what_its_thresholds_come(starter: Path) -> None:
    pack = load_pack(starter)
    assert pack.id == "starter"
    assert pack.dim == 512
    assert pack.licence
    assert licence_file(pack) == starter / "LICENSE"
    assert [one.false_match_rate for one in pack.thresholds] == [1e-2, 1e-3, 1e-4]
    assert sorted(one.threshold for one in pack.thresholds) == [
        one.threshold for one in pack.thresholds
    ]
    assert pack.thresholds_from
    assert sum(file.stat().st_size for file in starter.iterdir()) <= 10_000_000


def _embedding(analysis: Analysis, number: int) -> FloatArray:
    embedding = analysis.faces[number].embedding
    assert embedding is not None
    return embedding
