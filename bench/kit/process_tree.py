"""What a process and its children use, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its living descendants, and of those of them
    that have ended and were waited for."""
    return sum(_ticks(one) for one in tree(pid)) / _TICKS_PER_SECOND


def machine_seconds() -> float:
    """CPU time of everything on the machine since it started, what the hypervisor took included."""
    fields = (_PROC / "stat").read_text("ascii").splitlines()[0].split()[1:9]
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = map(int, fields)
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy / _TICKS_PER_SECOND


def rss_bytes(pid: int) -> int:
    """Resident memory of a process and all its living descendants; shared pages count in each."""
    return sum(_resident_pages(one) for one in tree(pid)) * _PAGE_BYTES


def tree(pid: int) -> Iterator[int]:
    """The process and its descendants that live."""
    yield pid
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                yield from tree(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return  # it ended meanwhile


def is_running(pid: int) -> bool:
    """Whether it is there and has not ended; one that is stopped runs."""
    return _read(pid, "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"], ["X"])


def _ticks(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    # utime, stime, cutime, cstime: fields 14 to 17 of proc(5), two of which stand before ")".
    return sum(int(field) for field in fields[11:15])


def _resident_pages(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) if fields else 0


def _read(pid: int, name: str) -> str:
    """Empty once it has ended."""
    try:
        return (_PROC / str(pid) / name).read_text("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
