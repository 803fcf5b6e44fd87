"""Packs in the columns of one table, and in one list of JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cli.errors import CommandError, ExitCode, UsageError
from cli.evaluation.command import measure
from cli.evaluation.detection import DetectionFigures
from cli.evaluation.detection_command import (
    DetectionSource,
    evaluate_detection,
    fail_if_above,
)
from cli.evaluation.detection_report import DetectionOfPack, print_detection
from cli.evaluation.expected import ExpectedPhoto
from cli.evaluation.faces import Embedded
from cli.evaluation.figures import LfwOfPack
from cli.evaluation.lfw import Pair
from cli.evaluation.packs import packs_to_measure, titles_of
from cli.evaluation.report import print_report
from cli.evaluation.threshold_report import Format
from inference.engine import ModelInfo
from inference.errors import PackError
from inference.models.pack import load_pack
from inference.networks import Running
from tests.unit.inference import networks

RUNNING = Running("onnxruntime 1.0 fp32", ("CPU",), "cpu", batched=True)


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    folder = tmp_path / "small"
    folder.mkdir()
    networks.detector(folder / "det.onnx")
    networks.recogniser(folder / "rec.onnx", dim=16)
    return ModelInfo(load_pack(folder), RUNNING, RUNNING, (160, 320))


def lfw_of(title: str, info: ModelInfo, *, bo: float) -> LfwOfPack:
    """Ann twice at 0°, Bo at `bo` degrees; one image of Bo shows no face."""
    angles = {"Ann_0001": 0.0, "Ann_0002": 0.0, "Bo_0001": bo}
    vectors = {
        name: np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))], np.float32)
        for name, angle in angles.items()
    }
    fold = [
        Pair("Ann_0001", "Ann_0002", same=True),
        Pair("Ann_0001", "Bo_0001", same=False),
        Pair("Ann_0001", "Bo_0002", same=False),
    ]
    embedded = Embedded(vectors, without_face=["Bo_0002"])
    return LfwOfPack(title, info, measure(title, embedded, [fold, fold], bases=[1000]))


def cells_of(text: str) -> dict[str, list[str]]:
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_each_pack_has_a_column(info: ModelInfo, capsys: pytest.CaptureFixture[str]) -> None:
    packs = [lfw_of("one", info, bo=90), lfw_of("two", info, bo=60)]
    print_report(packs, Format.MARKDOWN)
    cells = cells_of(capsys.readouterr().out)
    assert cells[""] == ["one", "two"]
    assert cells["with a face"] == ["3 (75.00%)"] * 2
    assert cells["pairs judged"] == ["6", "6"]
    assert cells["errors for want of a face"] == ["2", "2"]
    assert cells["accuracy"] == ["66.67%", "66.67%"]
    assert cells["95 % interval (Wilson, over pairs)"] == ["30.00% to 90.32%"] * 2
    # Two pairs of two people: nothing is known of one in a hundred.
    assert cells["TAR at FMR 1e-2 (from threshold)"] == ["too few pairs"] * 2
    few = replace(packs[0].figures.points[0], target_fmr=0.5, false_matches=1, threshold=0.25)
    rough = replace(packs[0], figures=replace(packs[0].figures, points=[few]))
    print_report([rough, rough], Format.MARKDOWN)
    printed = capsys.readouterr()
    assert cells_of(printed.out)["TAR at FMR 5e-1 (from threshold)"] == ["~100.00% (0.250)"] * 2
    assert "fewer than 30 pairs" in printed.err


def test_of_one_pack_the_table_comes_with_what_thresholds_mean(
    info: ModelInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report([lfw_of("one", info, bo=90)], Format.TEXT)
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert "one, images without a face:\n  Bo_0002\n" in printed
    assert "False hits to expect" in printed


def test_json_has_one_object_a_pack(info: ModelInfo, capsys: pytest.CaptureFixture[str]) -> None:
    print_report([lfw_of("one", info, bo=90), lfw_of("two", info, bo=60)], Format.JSON)
    packs = json.loads(capsys.readouterr().out)["packs"]
    assert [pack["pack"] for pack in packs] == ["small", "small"]
    assert packs[0]["share_with_face"] == 0.75
    assert packs[0]["accuracy_95"] == pytest.approx([0.3000, 0.9032], abs=1e-4)
    assert [pack["threshold_at_fmr"]["1e-2"] for pack in packs] == pytest.approx(
        [0.0, 0.5], abs=1e-4
    )


UPRIGHT = ExpectedPhoto("group.jpg", 2, 3, None, is_turned=False)
TURNED = ExpectedPhoto("turned.jpg", 1, 1, "ann", is_turned=True)


def detection_of(title: str, info: ModelInfo, group: int, turned: int) -> DetectionOfPack:
    figures = DetectionFigures(
        [UPRIGHT, TURNED],
        {"group.jpg": group, "turned.jpg": turned},
        {"ann": [] if turned else ["turned.jpg"]},
        {"wood.jpg": max(0, group - 3), "sea.jpg": 0},
        12.34,
    )
    return DetectionOfPack(title, info, figures)


def test_what_differs_is_listed_photo_by_photo(
    info: ModelInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    print_detection(
        [detection_of("one", info, 3, 1), detection_of("two", info, 5, 0)], Format.MARKDOWN
    )
    cells = cells_of(capsys.readouterr().out)
    assert cells["another number of faces, of 1 photos that stand upright"] == ["0", "1"]
    assert cells["another number of faces, of 1 turned photos"] == ["0", "1"]
    assert cells["persons whose photos do not find each other first, of 1"] == ["0", "1"]
    assert cells["with a false face, of 2 backgrounds"] == ["0", "1"]
    assert cells["false faces on them"] == ["0", "2"]
    assert cells["milliseconds a photo, p50"] == ["12.3", "12.3"]
    assert cells["group.jpg"] == ["2 to 3", "3", "5"]
    assert cells["turned.jpg"] == ["1", "1", "0"]
    assert cells["ann: turned.jpg"] == ["", "✗"]
    assert cells["wood.jpg"] == ["", "2"]
    assert "sea.jpg" not in cells


def test_detection_as_json_says_what_was_found(
    info: ModelInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    print_detection([detection_of("two", info, 5, 0)], Format.JSON)
    (pack,) = json.loads(capsys.readouterr().out)["packs"]
    assert pack["differing"] == {"group.jpg": {"found": 5, "faces_min": 2, "faces_max": 3}}
    assert pack["differing_turned"] == {"turned.jpg": {"found": 0, "faces_min": 1, "faces_max": 1}}
    assert (pack["photos"], pack["turned_photos"]) == (1, 1)
    assert pack["persons_apart"] == {"ann": ["turned.jpg"]}
    assert (pack["backgrounds"], pack["false_faces"]) == (2, {"wood.jpg": 2})


def test_a_limit_on_differing_photos_makes_the_command_fail(info: ModelInfo) -> None:
    measured = [detection_of("one", info, 3, 1), detection_of("two", info, 5, 0)]
    fail_if_above(1, measured)
    with pytest.raises(CommandError, match="two: 1") as failed:
        fail_if_above(0, measured)
    assert failed.value.exit_code == ExitCode.ATTENTION


def test_packs_of_one_id_are_told_apart_by_version_or_folder(info: ModelInfo) -> None:
    pack = info.pack
    newer = replace(pack, version="2")
    elsewhere = replace(pack, folder=Path("/elsewhere"))
    assert titles_of([pack, replace(pack, id="other")]) == ["small", "other"]
    assert titles_of([pack, newer]) == [f"small {pack.version}", "small 2"]
    assert titles_of([pack, elsewhere]) == [str(pack.folder), "/elsewhere"]


def test_a_pack_that_is_missing_or_comes_twice_is_refused_before_anything_is_measured(
    info: ModelInfo,
) -> None:
    small = str(info.pack.folder)
    with pytest.raises(UsageError, match="twice"):
        packs_to_measure([small, small], None)
    with pytest.raises(PackError, match="no-such-pack"):
        packs_to_measure([small, "no-such-pack"], None)
    assert [pack.title for pack in packs_to_measure([small], None)] == ["small"]


async def test_a_photo_that_is_no_image_is_named(info: ModelInfo, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no image")
    expected = tmp_path / "expected.json"
    expected.write_text('{"photos": [{"file": "a.jpg", "faces_min": 1, "faces_max": 1}]}')
    source = DetectionSource(tmp_path, expected, None)
    small = [str(info.pack.folder)]
    with pytest.raises(UsageError, match=r"^a\.jpg cannot be measured: "):
        await evaluate_detection(source, small, None, fail_above=None, form=Format.TEXT)
