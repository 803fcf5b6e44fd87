"""Run a piece of Python under a real limit: of the size of files, or of what it may touch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_SMALL_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
"""

# Permissions do not bind root, so become nobody; with everything imported before, for the
# interpreter may lie where only root can read.
_NO_RIGHTS = """
import concurrent.futures.thread, os
import sqlalchemy.dialects.sqlite.aiosqlite
import storage.photos.folder, storage.records.sql
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def run_with_small_files(script: str, max_bytes: int, *arguments: object) -> str:
    """What `script` prints where no file can grow beyond `max_bytes` (EFBIG); argv[2:] is its."""
    return _run(_SMALL_FILES + script, str(max_bytes), *map(str, arguments))


def run_without_rights(script: str, *arguments: object) -> str:
    """What `script` prints, run as a user whom permissions bind; argv[1:] is its."""
    return _run(_NO_RIGHTS + script, *map(str, arguments))


def _run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
