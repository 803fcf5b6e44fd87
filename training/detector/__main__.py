"""``python -m training.detector``: train the detector, or go on where it was stopped.

SIGTERM or SIGINT keeps a checkpoint and ends with 0; the same command goes on from there. With
``--start`` it begins with the weights of another training, and shows most often what these take
for a face on photos without.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console

from inference.models.pack import sha256_of
from inference.pipeline.faces import Pixels
from training.data.store import PreparedSet, open_all
from training.detector.losses import LANDMARK_WEIGHT
from training.detector.near_misses import NearMiss, Patch, near_misses, patches
from training.detector.network import Detector, Widths
from training.detector.scenes import COVERED, FACES, MIN_SIDE, NEAR_MISSES, PATCHED, Scenes
from training.detector.task import SHAPES, SHARES, DetectorTask, detect
from training.errors import TrainingError
from training.evaluate.detection import held_out_images, split_backgrounds
from training.loop import checkpoint
from training.loop.average import mean_weights
from training.loop.run import Plan, run
from training.loop.schedule import Schedule
from training.loop.stop import Stop
from training.paths import CHECKPOINTS, PREPARED

HELD_OUT_SET = "backgrounds"
"""The set some of whose photos are held out."""
SEARCHED_IMAGES = 1500
"""Of each set of people, for near misses."""


def main() -> None:
    """Train as the command line says."""
    asked = _arguments()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    cv2.setNumThreads(1)
    stop = Stop(asked.minutes)
    stop.listen()
    widths = Widths()
    schedule = Schedule(asked.steps, asked.rate, warmup=min(300, asked.steps // 10))
    sets = [one for one in open_all(asked.prepared, asked.sets) if len(one.crops)]
    without = [one for one in open_all(asked.prepared) if not len(one.crops)]
    backgrounds, held_out = _backgrounds(without)
    network = Detector(widths)
    misses: Sequence[NearMiss] = ()
    cuts: list[Patch] = []
    if asked.start is not None:
        network.take(mean_weights([checkpoint.averaged(one) for one in asked.start]))
    if asked.start is not None and not asked.landmarks_alone:
        see = partial(detect, network.eval())
        misses = near_misses(see, backgrounds)
        for one in sets:
            cuts += patches(see, one, _some_to_train_on(one))
        Console().print(
            f"{len(misses):,} near misses on {len(backgrounds):,} photos without faces, "
            f"{len(cuts):,} on photos of people"
        )
    task = DetectorTask(
        network,
        Scenes(sets, backgrounds, misses, cuts),
        held_out_images(sets)[: asked.evaluate_images],
        held_out,
        schedule,
        seed=asked.seed,
        negatives=asked.negatives,
        landmark_weight=asked.landmark_weight,
        landmarks_alone=asked.landmarks_alone,
    )
    settings = {
        "seed": asked.seed,
        "steps": asked.steps,
        "rate": asked.rate,
        "negatives": asked.negatives,
        "landmark_weight": asked.landmark_weight,
        "landmarks_alone": asked.landmarks_alone,
        "widths": {**asdict(widths), "blocks": list(widths.blocks)},
        "shapes": [list(shape) for shape in SHAPES],
        "shares": list(SHARES),
        "scenes": {
            "faces": list(FACES),
            "near_misses": NEAR_MISSES,
            "patched": PATCHED,
            "covered": COVERED,
            "min_side": MIN_SIDE,
        },
        "sets": [one.about["source"] for one in sets],
        "backgrounds": [one.about["source"] for one in without],
        "start": None if asked.start is None else [sha256_of(one) for one in asked.start],
    }
    plan = Plan(asked.steps, until=asked.until, evaluate_every=asked.evaluate_every)
    run(task, asked.checkpoints / asked.name, plan, stop, settings)


def _backgrounds(sets: Sequence[PreparedSet]) -> tuple[Sequence[Pixels], Sequence[Pixels]]:
    """Photos without a face to train on, and those held out, which are of one set."""
    named = {one.about["source"]: one for one in sets}
    if HELD_OUT_SET not in named:
        raise TrainingError(f"the set {HELD_OUT_SET} is missing (python -m training.data)")
    train, held_out = split_backgrounds(named.pop(HELD_OUT_SET))
    for one in named.values():
        train += [one.image(number) for number in range(len(one))]
    return train, held_out


def _some_to_train_on(one: PreparedSet) -> Sequence[int]:
    """Images of a set that are not held out: SEARCHED_IMAGES, evenly."""
    free = np.flatnonzero(~one.held_out)
    return [int(image) for image in free[:: max(1, len(free) // SEARCHED_IMAGES)]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__)
    parser.add_argument("--steps", type=int, default=60_000, help="in all, over all runs")
    parser.add_argument("--until", type=int, help="stop at this step, for another --start")
    parser.add_argument(
        "--start",
        type=Path,
        nargs="+",
        help="last.pt of a training to begin from; of several, the mean of their weights",
    )
    parser.add_argument(
        "--landmark-weight", type=float, default=LANDMARK_WEIGHT, help="of landmarks in the loss"
    )
    parser.add_argument(
        "--landmarks-alone",
        action="store_true",
        help="train the landmarks only; scores and boxes stay as they are",
    )
    parser.add_argument("--minutes", type=float, help="end this run after so long")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument(
        "--negatives", type=float, default=1.0, help="weight of what shows no face in the loss"
    )
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--name", default="detector", help="folder below the checkpoints")
    parser.add_argument("--sets", nargs="*", help="prepared sets with faces (default: all)")
    parser.add_argument("--evaluate-every", type=int, default=1000, help="steps")
    parser.add_argument("--evaluate-images", type=int, default=600, help="of people held out")
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
