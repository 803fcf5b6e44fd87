"""``python -m training.data``: label every set with the teacher, once.

Sets that are prepared already are left as they are; delete a folder to have it made again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from training.data.label import prepare_source
from training.data.people import RefusedPeople
from training.data.sources import extra_source, shared_sources
from training.data.store import open_set
from training.paths import PREPARED, SHARED
from training.teacher import Teacher


def main() -> None:
    """Prepare the sets named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m training.data", description=__doc__)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/ and models/")
    parser.add_argument("--teacher", type=Path, help="pack that labels (default: mbf128 of shared)")
    parser.add_argument("--prepared", type=Path, default=PREPARED, help="where the arrays go")
    parser.add_argument(
        "--extra",
        type=Path,
        nargs="*",
        help="folders with images/ and SOURCE.toml (default: all below PREPARED/extra)",
    )
    parser.add_argument("--only", nargs="*", help="names of the sets to prepare")
    asked = parser.parse_args()
    extra = asked.extra
    if extra is None:
        extra = sorted(file.parent for file in (asked.prepared / "extra").glob("*/SOURCE.toml"))
    sources = [*shared_sources(asked.shared), *map(extra_source, extra)]
    refused = RefusedPeople.read(asked.shared / "data" / "lfw-heldout-people.txt")
    teacher = Teacher(asked.teacher or asked.shared / "models" / "mbf128")
    console = Console()
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,} images"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for source in sources:
            if asked.only is not None and source.name not in asked.only:
                continue
            task = progress.add_task(source.name, total=None)
            folder = prepare_source(
                source, asked.prepared, refused, teacher, partial(progress.advance, task)
            )
            made = open_set(folder)
            console.print(
                f"{source.name}: {len(made):,} images, {len(made.faces):,} faces, "
                f"{len(made.crops):,} crops, {int(made.held_out.sum()):,} images held out"
            )


if __name__ == "__main__":
    main()
