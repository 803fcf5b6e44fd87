"""A process that stands still, as on a machine that hangs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_SECONDS = 10.0


def freeze(process: int) -> None:
    """Stop a process, and return when none of its threads runs any more.

    SIGSTOP takes effect when a thread of the process is next scheduled: on a busy machine its
    other threads go on answering for some milliseconds after `kill` has returned.
    """
    os.kill(process, signal.SIGSTOP)
    deadline = time.monotonic() + _SECONDS
    while not all(map(_is_stopped, Path(f"/proc/{process}/task").iterdir())):
        assert time.monotonic() < deadline, f"process {process} does not stop"
        time.sleep(0.001)


def _is_stopped(thread: Path) -> bool:
    try:
        stat = (thread / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return True
    return stat.rpartition(")")[2].split()[0] in {"T", "Z", "X"}
