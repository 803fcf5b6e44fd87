"""``python -m training.recogniser``: train the recogniser, or go on where it was stopped.

SIGTERM or SIGINT keeps a checkpoint and ends with 0; the same command goes on from there. With
``--start`` it begins with the weights of another training, of a pack, or with student-0's, made
larger.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from inference.models.pack import sha256_of
from training.data.store import open_all
from training.evaluate.verification import held_out_faces
from training.loop import checkpoint
from training.loop.checkpoint import State
from training.loop.run import Plan, run
from training.loop.schedule import Schedule
from training.loop.stop import Stop
from training.paths import CHECKPOINTS, PREPARED, SHARED
from training.recogniser.faces import Mixture, TrainingFaces
from training.recogniser.losses import APART, PERHAPS_ONE, TOGETHER
from training.recogniser.network import Depths, Recogniser, grown_from_first
from training.recogniser.published import published
from training.recogniser.task import RecogniserTask, Weights
from training.straightener.network import Straightener
from training.teacher import Teacher


def main() -> None:
    """Train as the command line says."""
    asked = _arguments()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    stop = Stop(asked.minutes)
    stop.listen()
    mixture, weights, depths = _mixture(asked.people, asked.named_share), Weights(), Depths()
    steps = max(1, asked.samples // mixture.size)
    schedule = Schedule(steps=steps, peak=asked.rate, warmup=min(500, steps // 10))
    sets = open_all(asked.prepared, asked.sets)
    teacher = Teacher(asked.teacher or asked.shared / "models" / "mbf128")
    folder = asked.checkpoints / asked.name
    straightener = _straightener(asked.straightener)
    start: State | None = None
    if asked.start is not None and asked.start.suffix == ".onnx":
        its, network = published(asked.start)
        straightener = straightener or its
    else:
        start = None if asked.start is None else checkpoint.load(asked.start)
        network = Recogniser(depths) if start is None else _begun(start, depths)
    task = RecogniserTask(
        network,
        TrainingFaces(sets, mixture),
        held_out_faces(sets),
        teacher,
        schedule,
        batch=mixture.size,
        seed=asked.seed,
        weights=weights,
        straightener=straightener,
    )
    if asked.start is not None and not (folder / "last.pt").exists():
        if start is None:
            task.begin_from_published()
        elif "learned" in start:
            task.begin_from(start)
        else:
            task.begin_from_network()
    settings = {
        "seed": asked.seed,
        "samples": asked.samples,
        "rate": asked.rate,
        "mixture": asdict(mixture),
        "similarities": {"apart": APART, "perhaps_one": PERHAPS_ONE, "together": TOGETHER},
        "weights": asdict(weights),
        "depths": asdict(depths),
        "sets": [one.about["source"] for one in sets],
        "start": None if asked.start is None else sha256_of(asked.start),
        "straightener": None if asked.straightener is None else sha256_of(asked.straightener),
        "teacher": teacher.pack.space_id,
    }
    run(task, folder, Plan(steps, evaluate_every=asked.evaluate_every), stop, settings)


def _mixture(people: int, named_share: float) -> Mixture:
    usual = Mixture()
    others = usual.size - people * usual.images_each
    return Mixture(people=people, others=others, named_share=named_share)


def _straightener(file: Path | None) -> Straightener | None:
    if file is None:
        return None
    network = Straightener()
    network.load_state_dict(checkpoint.averaged(file))
    return network


def _begun(start: State, depths: Depths) -> Recogniser:
    """The network of student-0, grown; or that of a training of this command."""
    if "learned" in start:
        return Recogniser(depths)
    return grown_from_first(start, depths)  # type: ignore[arg-type]  # its weights, by name


def _arguments() -> argparse.Namespace:
    usual = Mixture()
    parser = argparse.ArgumentParser(prog="python -m training.recogniser", description=__doc__)
    parser.add_argument("--samples", type=int, default=2_700_000, help="views seen in all")
    parser.add_argument("--minutes", type=float, help="end this run after so long")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--name", default="recogniser", help="folder below the checkpoints")
    parser.add_argument(
        "--start", type=Path, help="a last.pt, a rec.onnx of the export, or student.pt of student-0"
    )
    parser.add_argument(
        "--straightener", type=Path, help="last.pt of one; puts the crops straight first"
    )
    parser.add_argument(
        "--people", type=int, default=usual.people, help="with a name, three faces each, in a batch"
    )
    parser.add_argument(
        "--named-share",
        type=float,
        default=usual.named_share,
        help="of a batch's other faces: from sets with names",
    )
    parser.add_argument("--sets", nargs="*", help="prepared sets (default: all there are)")
    parser.add_argument("--evaluate-every", type=int, default=1000, help="steps")
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--teacher", type=Path, help="pack to learn from (default: mbf128)")
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    asked = parser.parse_args()
    if not 0 <= asked.people * usual.images_each <= usual.size:
        most = usual.size // usual.images_each
        parser.error(f"--people: {usual.images_each} faces each, so at most {most} in a batch")
    return asked


if __name__ == "__main__":
    main()
