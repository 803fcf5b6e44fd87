from __future__ import annotations

from pathlib import Path

from inference.models.licence import INSIGHTFACE_LICENCE, licence_file, licence_of
from inference.models.pack import Pack, load_pack
from tests.unit.inference import networks


def pack_called(name: str, at: Path) -> Pack:
    """A pack without a pack.toml."""
    (at / name).mkdir()
    networks.detector(at / name / "det.onnx")
    networks.recogniser(at / name / "rec.onnx")
    return load_pack(at / name)


def test_the_licence_of_the_model_zoo_is_known_though_its_packs_say_nothing(tmp_path: Path) -> None:
    assert licence_of(pack_called("buffalo_l", tmp_path)) == INSIGHTFACE_LICENCE
    assert licence_of(pack_called("mine", tmp_path)) == "not stated"


def test_the_text_of_a_licence_lies_beside_the_weights(tmp_path: Path) -> None:
    pack = pack_called("mine", tmp_path)
    assert licence_file(pack) is None

    text = pack.folder / "LICENSE"
    text.write_text("for research and evaluation")

    assert licence_file(pack) == text
