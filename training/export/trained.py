"""Networks as their checkpoints have them, to be exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.detector.network import Detector
from training.loop import checkpoint
from training.loop.average import mean_weights
from training.recogniser.faces import TrainingFaces
from training.recogniser.network import Recogniser
from training.recogniser.published import published, settle
from training.straightener.network import STRAIGHTENER, Straightener, StraightRecogniser, behind

SEED = 21


def trained_recogniser(file: Path) -> Recogniser | StraightRecogniser:
    """With the straightener that it was trained behind, if there was one. Raises TrainingError."""
    recogniser = Recogniser()
    recogniser.load_state_dict(checkpoint.averaged(file))
    before = (checkpoint.load(file) or {}).get(STRAIGHTENER)
    if before is None:
        return recogniser
    straightener = Straightener()
    straightener.load_state_dict(before)  # type: ignore[arg-type]  # as RecogniserTask.state() made it
    return behind(straightener, recogniser)


def mean_with_published(
    file: Path, pack: Path, faces: TrainingFaces
) -> Recogniser | StraightRecogniser:
    """The mean of a training and of what it began with: errs less than each (Wortsman et al. 2022).

    file: the checkpoint. pack: rec.onnx of the pack whose weights the training began with. Raises
    TrainingError.
    """
    straightener, begun = published(pack)
    settle(begun, faces, straightener, SEED)
    weights = begun.state_dict()
    for name, one in checkpoint.averaged(file).items():
        if one.is_floating_point():
            weights[name] = (weights[name] + one) / 2
    begun.load_state_dict(weights)
    return behind(straightener, begun)


def trained_detector(files: Sequence[Path]) -> Detector:
    """Of several, the mean of their weights. Raises TrainingError."""
    return Detector.of(mean_weights([checkpoint.averaged(file) for file in files]))
