"""Whether a disk has room for what is to be written."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli.errors import CommandError

_TO_SPARE = 64 * 2**20
BYTES_PER_DIMENSION = 4


def ensure_room(folder: Path, needed: int) -> None:
    """Raises CommandError if less is free where the folder is, or is going to be."""
    there = next((each for each in [folder, *folder.parents] if each.exists()), Path("/"))
    free = shutil.disk_usage(there).free
    if free < needed + _TO_SPARE:
        raise CommandError(
            f"{folder} needs {_megabytes(needed + _TO_SPARE)}, and {_megabytes(free)} are free",
            "make room, or name a folder on another disk",
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
