"""`facesearch demo`: the whole service on real photos, in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import ExitCode
from cli.help import examples
from cli.options import ModelsDir, Pack
from cli.run import run

EXAMPLES = examples(
    "facesearch demo",
    "facesearch demo --photos ~/Pictures/party",
    "facesearch demo --models-dir ~/models --pack buffalo_s",
)


def demo(
    photos: Annotated[
        Path | None,
        typer.Option(
            "--photos", exists=True, file_okay=False, help="Photos of your own instead of ours."
        ),
    ] = None,
    models_dir: ModelsDir = None,
    pack: Pack = None,
    sheet: Annotated[
        Path, typer.Option("--sheet", help="Where to write the picture of the results.")
    ] = Path("demo-output/found.png"),
) -> None:
    """Put real photos in, search with selfies cut from other versions of them, show what came.

    Starts inference and edge on free ports with a temporary data folder and stops them again.
    Runs on the starter pack that comes with facesearch unless another is chosen; a build without
    it tries to fetch buffalo_s.

    Exit code 1: something was not found as it should be.
    """
    from cli.demonstration.command import show_demo  # noqa: PLC0415  # slow to import

    if not run(show_demo(photos, models_dir, pack, sheet)):
        raise typer.Exit(ExitCode.ATTENTION)
