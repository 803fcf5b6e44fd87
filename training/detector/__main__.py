"""``python -m training.detector``: train the detector, or go on where it was stopped.

SIGTERM or SIGINT keeps a checkpoint and ends with 0; the same command goes on from there.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import cv2
import torch

from training.data.store import open_all, open_set
from training.detector.network import Detector, Widths
from training.detector.scenes import Scenes
from training.detector.task import SHAPES, SHARES, DetectorTask
from training.evaluate.detection import held_out_images, split_backgrounds
from training.loop.run import Plan, run
from training.loop.schedule import Schedule
from training.loop.stop import Stop
from training.paths import CHECKPOINTS, PREPARED


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
    backgrounds, held_out = split_backgrounds(open_set(asked.prepared / "backgrounds"))
    task = DetectorTask(
        Detector(widths),
        Scenes(sets, backgrounds),
        held_out_images(sets)[: asked.evaluate_images],
        held_out,
        schedule,
        seed=asked.seed,
    )
    settings = {
        "seed": asked.seed,
        "steps": asked.steps,
        "rate": asked.rate,
        "widths": {**asdict(widths), "blocks": list(widths.blocks)},
        "shapes": [list(shape) for shape in SHAPES],
        "shares": list(SHARES),
        "sets": [one.about["source"] for one in sets],
    }
    plan = Plan(asked.steps, evaluate_every=asked.evaluate_every)
    run(task, asked.checkpoints / asked.name, plan, stop, settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__)
    parser.add_argument("--steps", type=int, default=60_000, help="in all, over all runs")
    parser.add_argument("--minutes", type=float, help="end this run after so long")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--name", default="detector", help="folder below the checkpoints")
    parser.add_argument("--sets", nargs="*", help="prepared sets (default: all there are)")
    parser.add_argument("--evaluate-every", type=int, default=1000, help="steps")
    parser.add_argument("--evaluate-images", type=int, default=600, help="of people held out")
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
