"""``python -m training.straightener``: train it, or go on where it was stopped.

SIGTERM or SIGINT keeps a checkpoint and ends with 0; the same command goes on from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch

from inference.pipeline.faces import Pixels
from training.data.store import PreparedSet, open_all
from training.loop.run import Plan, run
from training.loop.schedule import Schedule
from training.loop.stop import Stop
from training.paths import CHECKPOINTS, PREPARED
from training.recogniser.faces import Mixture, TrainingFaces
from training.straightener.network import Straightener
from training.straightener.task import StraightenerTask

BATCH = 128
HELD_OUT = 1000


def main() -> None:
    """Train as the command line says."""
    asked = _arguments()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    cv2.setNumThreads(1)
    stop = Stop(asked.minutes)
    stop.listen()
    steps = max(1, asked.samples // BATCH)
    sets = [one for one in open_all(asked.prepared, asked.sets) if len(one.crops)]
    task = StraightenerTask(
        Straightener(),
        TrainingFaces(sets, Mixture()),
        _held_out(sets),
        Schedule(steps=steps, peak=asked.rate, warmup=min(200, steps // 10)),
        batch=BATCH,
        seed=asked.seed,
    )
    settings = {
        "seed": asked.seed,
        "samples": asked.samples,
        "rate": asked.rate,
        "sets": [one.about["source"] for one in sets],
    }
    plan = Plan(steps, evaluate_every=asked.evaluate_every)
    run(task, asked.checkpoints / asked.name, plan, stop, settings)


def _held_out(sets: Sequence[PreparedSet]) -> Sequence[Pixels]:
    """Crops of people held out, evenly."""
    crops = [
        one.crops[crop]
        for one in sets
        for crop, image in enumerate(one.crop_image.tolist())
        if one.held_out[image]
    ]
    return crops[:: max(1, len(crops) // HELD_OUT)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.straightener", description=__doc__)
    parser.add_argument("--samples", type=int, default=640_000, help="crops seen in all")
    parser.add_argument("--minutes", type=float, help="end this run after so long")
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--name", default="straightener", help="folder below the checkpoints")
    parser.add_argument("--sets", nargs="*", help="prepared sets (default: all there are)")
    parser.add_argument("--evaluate-every", type=int, default=500, help="steps")
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
