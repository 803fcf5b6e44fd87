"""`facesearch reindex`: another pack for the whole base, while it is searched."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import ExitCode, UsageError
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir, ModelsDir
from cli.run import run

EXAMPLES = examples(
    "facesearch reindex --pack buffalo_l",
    "facesearch reindex --pack ~/models/antelopev2 --max-rate 20",
    "facesearch reindex --inference-url inference-new:50051",
)


def reindex(
    pack: Annotated[
        str | None,
        typer.Option(
            "--pack",
            help="The new pack, by its name or its folder. An inference server that runs it is "
            "started for this command.",
        ),
    ] = None,
    inference_url: Annotated[
        str | None,
        typer.Option(
            "--inference-url",
            metavar="HOST:PORT",
            help="An inference server that runs the new pack already. Every edge must reach it.",
        ),
    ] = None,
    at_once: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Photos embedded at a time. More is faster, and searches wait."
        ),
    ] = 2,
    max_rate: Annotated[
        float | None,
        typer.Option(min=0.01, help="At most so many photos a second [as fast as it goes]."),
    ] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Embed every indexed face again with another pack, then search with that one.

    Searches and enrolments go on meanwhile. Faces keep their ids, boxes and photos. It may be
    stopped and run again: what is done is not done twice. The former space is kept until
    `facesearch spaces drop`. Exit code 1: some faces were left out, because their photos cannot be
    read any more.
    """
    from cli.base.reindex import ReindexOrder, reindex_base  # noqa: PLC0415  # slow to import
    from cli.base.reindex_report import print_reindex  # noqa: PLC0415
    from edge.use_cases.embed_again import Pace  # noqa: PLC0415

    if (pack is None) == (inference_url is None):
        raise UsageError(
            "name the new pack with --pack, or a server that runs it with --inference-url",
            "`facesearch models list` says which packs are here",
        )
    pace = Pace(at_once, max_rate)
    order = ReindexOrder(data_dir, models_dir, pack, inference_url, pace)
    figures = run(reindex_base(order))
    print_reindex(figures, as_json=as_json)
    if figures.get("left_out"):
        raise typer.Exit(ExitCode.ATTENTION)
