"""The folder that an export writes."""

from pathlib import Path

import onnx
import pytest

from inference.models.pack import load_pack
from tests.unit.inference import networks
from training.export.pack import PackText, Threshold, write_pack

TEXT = PackText(
    id="starter",
    version="1.0.0",
    dim=16,
    thresholds=[Threshold(1e-2, 0.25), Threshold(1e-3, 0.35)],
    thresholds_from="pairs of people held out",
    turn_margin=0.15,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pack written from small networks of random weights."""
    detector = onnx.load_model(str(networks.detector(tmp_path / "small-det.onnx")))
    recogniser = onnx.load_model(str(networks.recogniser(tmp_path / "small-rec.onnx")))
    write_pack(tmp_path / "pack", detector, recogniser, TEXT)
    return tmp_path / "pack"


def test_the_licence_of_the_weights_lies_beside_them_and_is_not_that_of_the_code(
    folder: Path,
) -> None:
    licence = (folder / "LICENSE").read_text(encoding="utf-8")
    assert all(
        words in " ".join(licence.split())
        for words in (
            "non-commercial research, for teaching, and for evaluation",
            "must not be used for any commercial purpose",
            "InsightFace",
            "Labeled Faces in the Wild",
            "UTKFace",
            "BSDS500",
            "Apache License, Version 2.0. That licence does not cover the weights",
            "WITHOUT WARRANTY OF ANY KIND",
        )
    )


def test_the_pack_names_its_licence_file_and_its_thresholds(folder: Path) -> None:
    pack = load_pack(folder)
    assert pack.licence.startswith("research and evaluation only")
    assert pack.licence.endswith("see LICENSE beside it")
    assert [one.threshold for one in pack.thresholds] == [0.25, 0.35]
    assert pack.thresholds_from == "pairs of people held out"
    assert pack.turn_margin == 0.15
