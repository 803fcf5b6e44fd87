"""``python -m training.evaluate PACK …``: packs side by side on what was held out of training.

Writes the figures as JSON too: what the model card is filled from.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from inference.bare import BareEngine
from inference.models.pack import load_pack
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import DecodeLimits
from inference.runtimes import open_sessions
from inference.settings import Settings, load_settings
from training.data.heldout import HELD_OUT_BACKGROUNDS
from training.data.store import PreparedSet, open_all, open_set
from training.evaluate.detection import held_out_images, split_backgrounds
from training.evaluate.pack import count_photos, evaluate_detector, evaluate_recogniser
from training.evaluate.verification import RATES, held_out_faces
from training.paths import PREPARED, SHARED

LOOK = 320
BACKGROUNDS = "backgrounds"
"""The set without faces: split in its own way, since nobody in it has a name."""

Figures = dict[str, dict[str, object]]


def main() -> None:
    """Evaluate the packs named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("packs", type=Path, nargs="+")
    parser.add_argument("--images", type=int, help="of people held out (default: all)")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--shared", type=Path, default=SHARED)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    settings, sets = load_settings(), open_all(asked.prepared)
    console = Console()
    with Progress(console=console) as progress:
        found = {
            str(folder): _evaluate(folder, settings, sets, asked, progress)
            for folder in asked.packs
        }
    console.print(_table(found))
    if asked.output is not None:
        told = {"look": LOOK, "packs": found, "data": [_about(one) for one in sets]}
        asked.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _about(prepared: PreparedSet) -> dict[str, object]:
    about = prepared.about
    kept = {
        person
        for person, is_held_out in zip(about["people"], about["held_out"], strict=True)
        if person is not None and is_held_out
    }
    is_background = about["source"] == BACKGROUNDS
    return {
        "source": about["source"],
        "origin": about["origin"],
        "licence": about["licence"],
        "images": len(prepared),
        "held_out": HELD_OUT_BACKGROUNDS if is_background else int(prepared.held_out.sum()),
        "people_held_out": len(kept),
    }


def _evaluate(
    folder: Path,
    settings: Settings,
    sets: list[PreparedSet],
    asked: argparse.Namespace,
    progress: Progress,
) -> Figures:
    pack = load_pack(folder)
    sessions = open_sessions(pack, settings)
    detector = Detector.load(pack.detector_graph, sessions.detector, may_batch=False)
    recogniser = Recogniser.load(pack.recogniser_graph, sessions.recogniser)
    task = progress.add_task(f"{folder.name}: detector", total=None)
    _, backgrounds = split_backgrounds(open_set(asked.prepared / BACKGROUNDS))
    images = held_out_images(sets)[: asked.images]
    detection = evaluate_detector(detector, images, backgrounds, LOOK)
    progress.update(task, description=f"{folder.name}: recogniser")
    verification = evaluate_recogniser(recogniser, held_out_faces(sets))
    progress.update(task, description=f"{folder.name}: photos")
    # As the server looks, turned and close too: the card's count is the one that users get.
    looks = settings.look_policy.with_turn_margin(pack.turn_margin)
    engine = BareEngine(
        detector,
        recogniser,
        looks=looks.for_fixed_size(pack.detector_graph.fixed_size),
        limits=DecodeLimits(settings.max_image_bytes, settings.max_image_pixels),
    )
    photos = count_photos(engine, asked.shared, lambda: progress.advance(task))
    progress.remove_task(task)
    return {
        "detection": detection.as_json(),
        "verification": verification.as_json(),
        "photos": photos.as_json(),
    }


def _table(found: Mapping[str, Figures]) -> Table:
    table = Table(title="people and photos held out of training")
    table.add_column("")
    columns = []
    for name, figures in found.items():
        table.add_column(Path(name).name, justify="right")
        columns.append(_cells(figures))
    for label in columns[0]:
        table.add_row(label, *(column[label] for column in columns))
    return table


def _cells(figures: Figures) -> dict[str, str]:
    see, tell, photos = (figures[part] for part in ("detection", "verification", "photos"))
    cells = {
        f"face found on {see['images']} images, one look of {LOOK}": f"{see['found']:.2%}",
        "landmarks off, of the face's side": f"{see['landmark_error']:.2%}",
        f"false faces on {see['backgrounds']} backgrounds": str(see["false_faces"]),
        f"accuracy on {tell['pairs']} pairs": (
            f"{tell['accuracy']:.2%} ({tell['accuracy_low']:.2%} to {tell['accuracy_high']:.2%})"
        ),
        "the same, people in turns": f"{tell['accuracy_balanced']:.2%}",
    }
    rates, thresholds = tell["tar"], tell["thresholds"]
    if isinstance(rates, tuple) and isinstance(thresholds, tuple):
        for rate, tar, threshold in zip(RATES, rates, thresholds, strict=True):
            cells[f"TAR at FMR {rate:.0e}"] = f"{tar:.2%} (from {threshold:.3f})"
    differing = photos["differing"]
    count = len(differing) if isinstance(differing, dict) else 0
    cells[f"counts that differ on {photos['photos']} photos"] = str(count)
    return cells


if __name__ == "__main__":
    main()
