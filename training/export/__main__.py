"""``python -m training.export``: the averaged weights of the last checkpoints as a pack.

What was not trained anew can be taken from a pack.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from rich.console import Console

from training.data.store import open_all
from training.evaluate.verification import RATES, held_out_faces, verify
from training.export.graphs import detector_model, recogniser_model
from training.export.pack import DETECTOR_FILE, RECOGNISER_FILE, PackText, Threshold, write_pack
from training.export.trained import (
    SEED,
    mean_with_published,
    trained_detector,
    trained_recogniser,
)
from training.paths import CHECKPOINTS, PREPARED
from training.recogniser.centre import centre
from training.recogniser.faces import Mixture, TrainingFaces
from training.recogniser.network import EMBEDDING, embed
from training.recogniser.published import published
from training.straightener.network import behind

TURN_MARGIN = 0.13
"""So much better the best face must be after a turn. Of 174 photos of people trained on that lie
upside down one gives less; of people held out four photos in 2,082 that stand upright gave 0.07 to
0.13, and one of these is turned still."""


def main() -> None:
    """Write the pack."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pack goes")
    parser.add_argument("--id", default="starter")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--recogniser", default="recogniser", metavar="NAME", help="its folder")
    parser.add_argument(
        "--detectors",
        nargs="+",
        default=["detector"],
        metavar="NAME",
        help="folders below the checkpoints; of several, the mean of their weights",
    )
    parser.add_argument(
        "--mean-with", type=Path, metavar="PACK", help="whose recogniser the training began with"
    )
    parser.add_argument("--recogniser-of", type=Path, metavar="PACK", help="take this one's again")
    parser.add_argument("--detector-of", type=Path, metavar="PACK", help="take this one's as it is")
    asked = parser.parse_args()
    sets = open_all(asked.prepared)
    checkpoint = asked.checkpoints / asked.recogniser / "last.pt"
    if asked.recogniser_of is not None:
        recogniser = behind(*published(asked.recogniser_of / RECOGNISER_FILE))
    else:
        faces = TrainingFaces([one for one in sets if len(one.crops)], Mixture())
        recogniser = (
            trained_recogniser(checkpoint)
            if asked.mean_with is None
            else mean_with_published(checkpoint, asked.mean_with / RECOGNISER_FILE, faces)
        )
        centre(recogniser, faces, SEED)
    if asked.detector_of is None:
        checkpoints = [asked.checkpoints / one / "last.pt" for one in asked.detectors]
        detector = detector_model(trained_detector(checkpoints))
    else:
        detector = onnx.load_model(asked.detector_of / DETECTOR_FILE)
    held_out = held_out_faces(sets)
    crops = torch.from_numpy(np.ascontiguousarray(held_out.crops))
    figures = verify(embed(recogniser, crops).numpy(), held_out.people)
    text = PackText(
        id=asked.id,
        version=asked.version,
        dim=EMBEDDING,
        thresholds=[Threshold(*pair) for pair in zip(RATES, figures.thresholds, strict=True)],
        turn_margin=TURN_MARGIN,
        thresholds_from=(
            f"{figures.impostors:,} impostor pairs of {len(held_out.crops):,} faces of people held "
            "out of LFW View 2 sets 1 to 7, all against all"
        ),
    )
    write_pack(asked.folder, detector, recogniser_model(recogniser), text)
    size = sum(file.stat().st_size for file in asked.folder.iterdir()) / 1e6
    Console().print(f"{asked.folder}: {size:.2f} MB, accuracy {figures.accuracy:.4f}")


if __name__ == "__main__":
    main()
