"""``python -m training.card``: the model card of a pack, out of what was measured.

FIGURES, SPEED and GROUPS are the ``--output`` of training.evaluate, .speed and .groups, each run
with the pack first and the one to compare it with second.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.card.card import card
from training.card.measured import Measured
from training.card.runs import TrainingRun
from training.errors import TrainingError
from training.paths import CHECKPOINTS


def main() -> None:
    """Write the card; without it, say on stderr what is missing."""
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    parser.add_argument("figures", type=Path, help="JSON of training.evaluate")
    parser.add_argument("speed", type=Path, help="JSON of training.evaluate.speed")
    parser.add_argument("groups", type=Path, help="JSON of training.evaluate.groups")
    parser.add_argument("--recall", type=Path, help="report of bench.recall for this pack")
    for network in ("recogniser", "detector"):
        parser.add_argument(
            f"--{network}",
            type=Path,
            nargs="+",
            default=[CHECKPOINTS / network],
            metavar="FOLDER",
            help="its training; of several parts each, the last one last",
        )
    parser.add_argument(
        "--straightener", type=Path, metavar="FOLDER", help="its training, if the pack has one"
    )
    parser.add_argument(
        "--trained-on", required=True, help="the machine of the trainings: hours mean nothing alone"
    )
    parser.add_argument("--output", type=Path, required=True, help="Markdown file")
    asked = parser.parse_args()
    try:
        runs = (TrainingRun.read(asked.recogniser), TrainingRun.read(asked.detector))
        straightener = asked.straightener and TrainingRun.read([asked.straightener])
        measured = Measured.read(
            asked.figures, asked.speed, asked.groups, runs, asked.recall, straightener
        )
        text = card(measured, trained_on=asked.trained_on)
    except TrainingError as error:
        sys.exit(f"no card: {error}")
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
