"""``python -m training.data.heldout``: who and what was held out, for measuring with any pack.

``people`` writes the names of the people held out, as ``facesearch eval lfw --people`` reads them;
``backgrounds`` writes the photos held out to a folder, for ``facesearch eval detection``.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from training.data.people import RefusedPeople
from training.data.sources import Source, shared_sources
from training.paths import SHARED

HELD_OUT_BACKGROUNDS = 60


def backgrounds_in_order(names: Sequence[str]) -> Sequence[int]:
    """Places of the backgrounds by the digests of their names; the first ones are held out."""
    return sorted(range(len(names)), key=lambda n: hashlib.sha256(names[n].encode()).digest())


def held_out_people(source: Source, refused: RefusedPeople) -> Sequence[str]:
    """The people of a source who are held out, sorted. Raises TrainingError: no images."""
    images = source.images(refused)
    return sorted({image.person for image in images if image.person and image.is_held_out})


def write_backgrounds(source: Source, refused: RefusedPeople, folder: Path) -> int:
    """Write the backgrounds that are held out; returns how many. Raises TrainingError: none."""
    images = list(source.images(refused))
    order = backgrounds_in_order([image.name for image in images])
    chosen = [images[place] for place in order[:HELD_OUT_BACKGROUNDS]]
    folder.mkdir(parents=True, exist_ok=True)
    for image in chosen:
        (folder / Path(image.name).name).write_bytes(image.data)
    return len(chosen)


def main() -> None:
    """Write what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.data.heldout", description=__doc__)
    parser.add_argument("what", choices=("people", "backgrounds"))
    parser.add_argument("output", type=Path, help="text file, or folder for backgrounds")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/")
    asked = parser.parse_args()
    console = Console()
    sources = {source.name: source for source in shared_sources(asked.shared)}
    refused = RefusedPeople.read(asked.shared / "data" / "lfw-heldout-people.txt")
    if asked.what == "people":
        people = held_out_people(sources["lfw"], refused)
        asked.output.write_text("".join(f"{name}\n" for name in people), encoding="utf-8")
        console.print(f"{len(people)} people of {sources['lfw'].path.name} in {asked.output}")
    else:
        count = write_backgrounds(sources["backgrounds"], refused, asked.output)
        console.print(f"{count} backgrounds in {asked.output}")


if __name__ == "__main__":
    main()
