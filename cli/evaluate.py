"""`facesearch eval`: how well a pack finds faces and tells people apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import UsageError
from cli.evaluation.draw import Draw
from cli.help import examples
from cli.options import AsJson, ModelsDir
from cli.run import run

if TYPE_CHECKING:
    from cli.evaluation.threshold_report import Format

app = typer.Typer(no_args_is_help=True, help="Measure packs on labelled photos.")

Packs = Annotated[
    list[str] | None,
    typer.Option(
        "--pack",
        # Not from the environment here: the settings take INFERENCE_PACK themselves, and typer
        # would split a path at its blanks.
        help="Name of a pack or path of its folder; repeatable: a column each. "
        "Default: INFERENCE_PACK, or what the server would take.",
    ),
]


@app.callback()
def evaluate() -> None:
    """Measure packs on labelled photos."""


@app.command(
    epilog=examples(
        "facesearch eval lfw --images lfw.zip --pairs pairs.txt --pack buffalo_l",
        "facesearch eval lfw --images ~/lfw --pairs pairs.txt --json > figures.json",
        "facesearch eval lfw --images ~/lfw --pairs pairs.txt --base 250000",
        "facesearch eval lfw --images lfw.zip --people heldout.txt --generate 3000 "
        "--pack starter --pack buffalo_l",
    )
)
def lfw(
    images: Annotated[
        Path, typer.Option(help="Folder or ZIP with Person_Name_0001.jpg and so on.")
    ],
    pairs: Annotated[Path | None, typer.Option(help="Pairs file as LFW ships it.")] = None,
    generate: Annotated[
        int | None,
        typer.Option(
            min=10,
            metavar="N",
            help="Instead of --pairs: make N pairs of one person and N of two from the images.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of --generate; the same gives the same.")] = 1,
    draw: Annotated[
        Draw,
        typer.Option(
            help="Of --generate, pairs of one person: round the people, or from all there are."
        ),
    ] = Draw.PEOPLE,
    people: Annotated[
        Path | None,
        typer.Option(help="Text file, one name a line: use the images of these people only."),
    ] = None,
    base: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Faces in your base: say what a threshold means for it too; repeatable."
        ),
    ] = None,
    pack: Packs = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
    markdown: Annotated[
        bool,
        typer.Option(
            "--markdown", help="In Markdown: what thresholds mean, or the table of several packs."
        ),
    ] = False,
) -> None:
    """Measure packs on Labeled Faces in the Wild, or on images named as there.

    Accuracy on the pairs: folds as the file gives them, each judged with the threshold that suits
    the others best; a pair with an image without a face counts as an error. The 95 % interval is
    Wilson's, as if the pairs were independent. TAR at FMR: all images against all, each pair once;
    images without a face are left out and counted. Every image is looked at in full; of several
    faces the one that is large and central is taken.

    Pairs made with --generate: ten folds, nobody in two of them; the pairs of one person go round
    the people with two images or more, so that nobody with many decides alone, or with --draw pairs
    are drawn from all, which is easier; none comes twice.

    Of one pack, what a threshold means: FMR and TAR from 0.10 to 0.60, and about FMR × N false
    hits in a search of N faces.
    """
    from cli.evaluation.command import LfwSource, evaluate_lfw  # noqa: PLC0415  # slow to import

    if (pairs is None) == (generate is None):
        raise UsageError(
            "pairs are needed once: of a file or made", "give either --pairs FILE or --generate N"
        )
    run(
        evaluate_lfw(
            LfwSource(images, pairs, generate or 0, seed, people, draw),
            pack or (),
            models_dir,
            bases=base or (),
            form=_form(as_json=as_json, markdown=markdown),
        )
    )


@app.command(
    epilog=examples(
        "facesearch eval detection --photos ~/photos --expected photos.json",
        "facesearch eval detection --photos ~/photos --expected photos.json "
        "--backgrounds empty.zip --pack starter --pack buffalo_l",
        "facesearch eval detection --photos ~/photos --expected photos.json --fail-above 4",
    )
)
def detection(
    photos: Annotated[Path, typer.Option(help="Folder with the photos.")],
    expected: Annotated[Path, typer.Option(help="JSON that says what a person sees on them.")],
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder or ZIP of photos that show no face.")
    ] = None,
    fail_above: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Exit with 1 if a pack's count differs on more than N photos that stand upright.",
        ),
    ] = None,
    pack: Packs = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The tables in Markdown.")] = False,
) -> None:
    """Count faces on photos on which a person counted them, as an enrolment does.

    The JSON is {"photos": [{"file": "a.jpg", "faces_min": 1, "faces_max": 2, "person": "ann",
    "turned_degrees": 90}, ...]}: faces that must and may be found; photos of one person, if any,
    must find each other before any other photo; how far the photo was turned without EXIF (counted
    apart). The last two may be left out.

    Every look, turned ones where the photo as it is shows nothing upright; photos one after the
    other, so that the time is that of one photo on an idle machine.
    """
    from cli.evaluation.detection_command import (  # noqa: PLC0415  # slow to import
        DetectionSource,
        evaluate_detection,
    )

    run(
        evaluate_detection(
            DetectionSource(photos, expected, backgrounds),
            pack or (),
            models_dir,
            fail_above=fail_above,
            form=_form(as_json=as_json, markdown=markdown),
        )
    )


def _form(*, as_json: bool, markdown: bool) -> Format:
    from cli.evaluation.threshold_report import Format  # noqa: PLC0415  # slow to import

    if as_json and markdown:
        raise UsageError("--json and --markdown are two forms of one answer", "leave one out")
    return Format.JSON if as_json else Format.MARKDOWN if markdown else Format.TEXT
