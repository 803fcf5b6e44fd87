"""`facesearch eval`: how well a pack tells people apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import UsageError
from cli.help import examples
from cli.options import AsJson, ModelsDir, Pack
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Measure a pack on labelled faces.")


@app.callback()
def evaluate() -> None:
    """Measure a pack on labelled faces."""


@app.command(
    epilog=examples(
        "facesearch eval lfw --images lfw.zip --pairs pairs.txt --pack buffalo_l",
        "facesearch eval lfw --images ~/lfw --pairs pairs.txt --json > figures.json",
        "facesearch eval lfw --images ~/lfw --pairs pairs.txt --base 250000",
    )
)
def lfw(
    images: Annotated[
        Path, typer.Option(help="Folder or ZIP with Person_Name_0001.jpg and so on.")
    ],
    pairs: Annotated[Path, typer.Option(help="Pairs file as LFW ships it.")],
    base: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Faces in your base: say what a threshold means for it too; repeatable."
        ),
    ] = None,
    pack: Pack = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The tables of thresholds in Markdown.")
    ] = False,
) -> None:
    """Measure a pack on Labeled Faces in the Wild.

    Accuracy on the pairs: folds as the file gives them, each judged with the threshold that suits
    the others best; ± is the standard deviation of the folds. A pair with an image without a face
    counts as an error. TAR at FMR: all images against all, each pair once; images without a face
    are left out and counted. Every image is looked at in full; of several faces the one that is
    large and central is taken.

    What a threshold means: FMR and TAR from 0.10 to 0.60, and about FMR × N false hits in a search
    of N faces.
    """
    from cli.evaluation.command import evaluate_lfw  # noqa: PLC0415  # slow to import
    from cli.evaluation.threshold_report import Format  # noqa: PLC0415

    if as_json and markdown:
        raise UsageError("--json and --markdown are two forms of one answer", "leave one out")
    form = Format.JSON if as_json else Format.MARKDOWN if markdown else Format.TEXT
    run(evaluate_lfw(images, pairs, pack, models_dir, bases=base or (), form=form))
