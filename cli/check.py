"""`facesearch check`: whether records, photos and vectors agree."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import ExitCode
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir, ModelsDir, Pack
from cli.run import run

EXAMPLES = examples(
    "facesearch check",
    "facesearch check --repair",
    "facesearch check --data-dir /srv/faces --json",
)


def check(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Make missing vectors again from the photos, and remove what nothing names.",
        ),
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    models_dir: ModelsDir = None,
    pack: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Compare records, photos and vectors.

    A service that runs on the data folder does the work and this command follows it; otherwise
    the command opens the base itself. Exit code 1: problems remain.
    """
    from cli.base.check import CheckOrder, check_base  # noqa: PLC0415  # slow to import
    from cli.base.report import print_check  # noqa: PLC0415

    result = run(check_base(CheckOrder(data_dir, repair, models_dir, pack)))
    print_check(result, as_json=as_json)
    if result.remaining:
        raise typer.Exit(ExitCode.ATTENTION)
