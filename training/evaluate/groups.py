"""``python -m training.evaluate.groups PACK …``: false matches within groups of people.

UTKFace's file names give an age, a sex and a race label (the last two as its makers guessed them).
It names nobody, so how well a group's own pairs are accepted cannot be said; how often two of its
faces are taken for one person can: all pairs of the images held out, at one threshold for everyone.
A few of its people come twice, so the rates are a little too high, for all groups alike. Sex and
race are compared among adults: some of UTKFace's groups have more small children than others, and
small children are what recognisers confuse most.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from cli.evaluation.verification import all_against_all, operating_point
from inference.models.pack import load_pack
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import FloatArray, Pixels
from inference.runtimes import open_sessions
from inference.settings import load_settings
from training.data.label import middle
from training.data.store import open_set
from training.errors import TrainingError
from training.evaluate.verification import held_out_faces
from training.paths import PREPARED

AGES = ((0, 5), (6, 12), (13, 19), (20, 39), (40, 59), (60, 116))
SEXES = ("male", "female")
RACES = ("White", "Black", "Asian", "Indian", "Other")
ADULT = 20
TARGET = 1e-3
"""The threshold is the one that lets so many pairs of LFW's people held out through."""
FEWEST = 50
"""Images; of fewer nothing is said."""
EMBED_AT_ONCE = 16


def groups_of(name: str) -> Sequence[str]:
    """The groups of an image ``age_sex_race_date.jpg``; none where the name is not of that form."""
    parts = Path(name).name.split("_")
    if len(parts) != 4 or not all(part.isdigit() for part in parts[:3]):
        return ()
    age, sex, race = map(int, parts[:3])
    if sex >= len(SEXES) or race >= len(RACES):
        return ()
    ages = [f"age {low}–{high}" for low, high in AGES if low <= age <= high]
    return (*ages, "adults", SEXES[sex], RACES[race]) if age >= ADULT else ages


def members(names: Sequence[str]) -> Mapping[str, NDArray[np.int64]]:
    """The places of each group's images; groups in their own order, those of FEWEST and more."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        for group in ("all", *groups_of(name)):
            found[group].append(place)
    ages = (f"age {low}–{high}" for low, high in AGES)
    order = ("all", *ages, "adults", *SEXES, *RACES)
    return {
        group: np.array(found[group], np.int64) for group in order if len(found[group]) >= FEWEST
    }


def false_matches(
    embeddings: FloatArray, names: Sequence[str], threshold: float
) -> dict[str, float]:
    """The share of pairs within each group that pass the threshold.

    embeddings: (n, dim) unit length, of different people; names: n.
    """
    rates = {}
    for group, places in members(names).items():
        scores = embeddings[places] @ embeddings[places].T
        pairs = scores[np.triu_indices(len(places), k=1)]
        rates[group] = float((pairs >= threshold).mean())
    return rates


def main() -> None:
    """Evaluate the packs named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate.groups", description=__doc__)
    parser.add_argument("packs", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--prepared", type=Path, default=PREPARED)
    parser.add_argument("--set", default="utkface", help="a prepared set named as UTKFace does it")
    asked = parser.parse_args()
    faces = open_set(asked.prepared / asked.set)
    held_out = np.flatnonzero(faces.held_out[faces.crop_image])
    names = [faces.about["names"][image] for image in faces.crop_image[held_out]]
    if len(members(names)) < 2:
        raise TrainingError(f"{asked.set}: its files are not named as UTKFace names them")
    told = held_out_faces([open_set(asked.prepared / "lfw")])
    rates, thresholds = {}, {}
    for folder in asked.packs:
        recogniser = _recogniser(folder)
        known = all_against_all(_embed(recogniser, told.crops), told.people)
        threshold = operating_point(known, TARGET).threshold
        crops = middle(faces.crops[held_out])
        rates[folder.name] = false_matches(_embed(recogniser, crops), names, threshold)
        thresholds[folder.name] = threshold
    Console().print(_table(rates, members(names)))
    if asked.output is not None:
        found = {
            "source": asked.set,
            "target": TARGET,
            "images": {group: len(places) for group, places in members(names).items()},
            "packs": {
                name: {"threshold": thresholds[name], "false_match_rate": of_groups}
                for name, of_groups in rates.items()
            },
        }
        asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _recogniser(folder: Path) -> Recogniser:
    pack = load_pack(folder)
    sessions = open_sessions(pack, load_settings())
    return Recogniser.load(pack.recogniser_graph, sessions.recogniser)


def _embed(recogniser: Recogniser, crops: Pixels) -> FloatArray:
    starts = range(0, len(crops), EMBED_AT_ONCE)
    parts = [
        recogniser.embed(list(crops[start : start + EMBED_AT_ONCE]), bucket=EMBED_AT_ONCE)
        for start in starts
    ]
    return np.concatenate(parts)


def _table(
    rates: Mapping[str, Mapping[str, float]], groups: Mapping[str, NDArray[np.int64]]
) -> Table:
    table = Table(title=f"false matches where {TARGET:g} of LFW's pairs pass")
    for column in ("group", "images", *rates):
        table.add_column(column, justify="right")
    for group, places in groups.items():
        shares = (f"{of_pack[group]:.2e}" for of_pack in rates.values())
        table.add_row(group, f"{len(places):,}", *shares)
    return table


if __name__ == "__main__":
    main()
