"""`facesearch eval`: how well a pack tells people apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    )
)
def lfw(
    images: Annotated[
        Path, typer.Option(help="Folder or ZIP with Person_Name_0001.jpg and so on.")
    ],
    pairs: Annotated[Path, typer.Option(help="Pairs file as LFW ships it.")],
    pack: Pack = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Measure a pack on Labeled Faces in the Wild.

    Accuracy on the pairs: folds as the file gives them, each judged with the threshold that suits
    the others best; ± is the standard deviation of the folds. A pair with an image without a face
    counts as an error. TAR at FMR: all images against all, each pair once; images without a face
    are left out and counted. Every image is looked at in full; of several faces the one that is
    large and central is taken.
    """
    from cli.evaluation.command import evaluate_lfw  # noqa: PLC0415  # slow to import

    run(evaluate_lfw(images, pairs, pack, models_dir, as_json=as_json))
