"""`facesearch backup`: the whole base into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import note
from cli.errors import ExitCode
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir
from cli.run import run

EXAMPLES = examples(
    "facesearch backup /mnt/backup/faces",
    "facesearch backup /mnt/backup/faces --data-dir /srv/faces --json",
)


def backup(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Where the backup goes: a new folder, an empty one, or one with an older backup.",
        ),
    ],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Copy the whole base into a folder, while the service runs or when it is stopped.

    Photos, faces, vectors and keys: all that was in the base when it began is in it, whole. Run it
    where the service runs, as the user it runs as: the vectors of a Milvus Lite folder are written
    into FOLDER by the service itself. Photos that FOLDER has already are not copied again; an
    interrupted backup goes on where it was, and until the new one is complete the one before it
    counts.

    The backup holds biometric data: only its owner can read it, and it is not encrypted.

    Exit code 1: the backup is complete, but the base has lost photos or vectors; they are counted.
    """
    from cli.backing_up.backup import BackupOrder, take_backup  # noqa: PLC0415  # slow to import
    from cli.backing_up.failures import explained  # noqa: PLC0415
    from cli.backing_up.report import print_backup  # noqa: PLC0415

    try:
        with explained():
            report = run(take_backup(BackupOrder(data_dir, folder)))
    except KeyboardInterrupt:
        note("Stopped. The same command goes on where it was.")
        raise
    print_backup(report, as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(ExitCode.ATTENTION)
