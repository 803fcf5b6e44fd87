"""`facesearch restore`: a backup into an empty base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import note
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir
from cli.run import run

EXAMPLES = examples(
    "facesearch restore /mnt/backup/faces --data-dir /srv/faces",
    "facesearch restore /mnt/backup/faces --check",
    "STORAGE_RECORDS_URL=postgresql://… STORAGE_PHOTOS_URL=s3://… STORAGE_VECTORS_URL=http://… "
    "facesearch restore /mnt/backup/faces",
)


def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder that `facesearch backup` wrote.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Verify the backup, and restore nothing.")
    ] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Fill an empty base from a backup: the same photos, face ids, dates, vectors and keys.

    The stores may be others than those that the backup was taken from. First every file is compared
    with its digest; nothing is written if one is damaged. The base must be empty and the service
    stopped. Nothing shows before everything is there: a restore that was stopped is run again.

    Exit code 2: no complete backup, a damaged one, or a base that is not empty.
    """
    from cli.backing_up.failures import explained  # noqa: PLC0415
    from cli.backing_up.report import print_restore  # noqa: PLC0415
    from cli.backing_up.restore import RestoreOrder, restore_base  # noqa: PLC0415  # slow to import

    try:
        with explained():
            report = run(restore_base(RestoreOrder(data_dir, folder, check)))
    except KeyboardInterrupt:
        note("Stopped. Nothing shows in the base; run the same command again.")
        raise
    print_restore(report, as_json=as_json)
