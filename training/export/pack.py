"""The pack's folder: det.onnx, rec.onnx, pack.toml, LICENSE."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from inference.models.graphs import DETECTOR_DEFAULT, RECOGNISER_DEFAULT
from inference.models.manifest import MANIFEST_NAME
from inference.models.pack import load_pack, sha256_of

LICENCE = "research and evaluation only (the teachers and the data are); see LICENSE beside it"
DETECTOR_FILE, RECOGNISER_FILE = "det.onnx", "rec.onnx"
LICENCE_NAME = "LICENSE"
"""Of the copy beside the weights."""
_LICENCE_TEXT = Path(__file__).with_name("LICENSE.weights")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A recommended threshold."""

    false_match_rate: float
    threshold: float


@dataclass(frozen=True, slots=True)
class PackText:
    """What pack.toml says beside the files."""

    id: str
    version: str
    dim: int
    thresholds: Sequence[Threshold]
    thresholds_from: str
    """The data that the thresholds come from."""
    turn_margin: float | None = None
    """Of `LookPolicy`, where the detector wants another one."""


def write_pack(
    folder: Path, detector: onnx.ModelProto, recogniser: onnx.ModelProto, text: PackText
) -> None:
    """Write a pack with its licence and load it as the server would. Raises PackError."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(detector, folder / DETECTOR_FILE)
    onnx.save(recogniser, folder / RECOGNISER_FILE)
    (folder / MANIFEST_NAME).write_text(_manifest(folder, text), encoding="utf-8")
    shutil.copyfile(_LICENCE_TEXT, folder / LICENCE_NAME)
    load_pack(folder)


def _manifest(folder: Path, text: PackText) -> str:
    lines = [
        f'id = "{text.id}"',
        f'version = "{text.version}"',
        f'licence = "{LICENCE}"',
        f"dim = {text.dim}",
    ]
    if text.turn_margin is not None:
        lines.append(f"turn_margin = {text.turn_margin:g}")
    if text.thresholds:
        lines.append(f'thresholds_from = "{text.thresholds_from}"')
    roles = (
        (DETECTOR_FILE, "detector", DETECTOR_DEFAULT),
        (RECOGNISER_FILE, "recogniser", RECOGNISER_DEFAULT),
    )
    for name, role, shift in roles:
        lines += [
            "",
            "[[files]]",
            f'name = "{name}"',
            f'role = "{role}"',
            f'sha256 = "{sha256_of(folder / name)}"',
            f"preprocessing = {{ mean = {shift.mean}, std = {shift.std} }}",
        ]
    for one in text.thresholds:
        lines += [
            "",
            "[[thresholds]]",
            f"false_match_rate = {one.false_match_rate:g}",
            f"threshold = {one.threshold:.3f}",
        ]
    return "\n".join(lines) + "\n"
