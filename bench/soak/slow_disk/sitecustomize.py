"""A slow disk for one process: every fsync takes longer while a file is there.

Python imports a `sitecustomize` of PYTHONPATH before anything else. A disk that is really slow
cannot be had without root; to the process, whose code is the one that always runs, this looks the
same. SQLite syncs by itself and is not slowed; the fault that locks the records stands for it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_FLAG = os.environ.get("BENCH_SLOW_DISK", "")
"""File that says how many seconds an fsync takes; while it is missing, the disk is as it is."""
_fsync = os.fsync


def _slow_fsync(descriptor: int) -> None:
    with suppress(FileNotFoundError, ValueError):  # not slow, or being written just now
        time.sleep(float(Path(_FLAG).read_text("ascii")))
    _fsync(descriptor)


if _FLAG:
    os.fsync = _slow_fsync  # type: ignore[assignment]  # it also takes objects with fileno
