"""`facesearch index`: put folders of photos, or those of a bucket, into the base."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import note
from cli.errors import ExitCode
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir, Key, ModelsDir, Pack, Url
from cli.run import run

EXAMPLES = examples(
    "facesearch index ~/Pictures --collection holiday",
    "facesearch index 2023 2024 --collection family --data-dir ./data",
    "facesearch index photos --collection wedding --url https://faces.example.org",
    "facesearch index s3://my-bucket/photos/2024 --collection archive",
)


def index(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Folders of photos, photos, or one s3://bucket/prefix."
        ),
    ],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Where to put them; default: in none.")
    ] = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    models_dir: ModelsDir = None,
    pack: Pack = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send photos again that are there unchanged.")
    ] = False,
    reread: Annotated[
        bool,
        typer.Option(
            "--reread",
            help="Of a bucket: read every object again, also where ETag, size and time of its last "
            "write are as they were.",
        ),
    ] = False,
    checks: Annotated[
        bool,
        typer.Option(
            "--check/--no-check", help="Compare the stores at the end (data folder only)."
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Put photos into the base: JPEG, PNG and WebP, with every face on them.

    A photo is called by its path below the given one, in a bucket by its key below the prefix. What
    is there with the same bytes is skipped, so a run that was stopped goes on where it was. A photo
    that cannot be read does not stop the rest. Without --url it uses the service that runs on the
    data folder, or starts one for as long as it takes.

    A bucket is reached with the STORAGE_PHOTOS_ variables or the usual AWS_ ones, as docs/s3.md
    says. It is only read.

    Exit code 1: some photos could not be taken; they are listed with the reason.
    """
    from cli.access import ServiceChoice  # noqa: PLC0415  # slow to import
    from cli.indexing.command import IndexOrder, index_photos  # noqa: PLC0415
    from cli.indexing.report import print_report  # noqa: PLC0415

    choice = ServiceChoice(url, key, data_dir, models_dir, pack)
    try:
        order = IndexOrder(tuple(places), collection or None, force, checks, reread)
        report = run(index_photos(order, choice))
    except KeyboardInterrupt:
        note("Stopped. The same command goes on where it was.")
        raise
    print_report(report, as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(ExitCode.ATTENTION)
