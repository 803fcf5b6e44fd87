"""Lines at the end of a file that others write to, too, and that may be rotated away."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import Protocol

_MODE = 0o640  # the group that reads logs may read it
_END = b"\n"


class LineWriter(Protocol):
    """Takes lines; each is with the system when `append` returns. Called from one thread."""

    def append(self, line: bytes) -> None:
        """Write one line, without its end. Raises OSError; part of it may be there then."""
        ...

    def close(self) -> None: ...


class AuditFile:
    """A file by its path.

    Several processes may append, one line after the other. When the path has become another file,
    or none, the next line goes to that one: logrotate needs to tell nobody.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError if it cannot be appended to."""
        self._path = path
        self._file = _opened(path)

    def append(self, line: bytes) -> None:
        if not self._is_at_path():
            file = _opened(self._path)
            os.close(self._file)
            self._file = file
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._append(line + _END)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)

    def _append(self, rest: bytes) -> None:
        size = os.fstat(self._file).st_size
        # What a full disk cut off, here or in another process, must not swallow the next line.
        if size and os.pread(self._file, 1, size - 1) != _END:
            rest = _END + rest
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _is_at_path(self) -> bool:
        ours = os.fstat(self._file)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


class StandardStream:
    """Standard output (1) or error (2), among other lines: ours fit one write of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def append(self, line: bytes) -> None:
        rest = line + _END
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        return


def _opened(path: Path) -> int:
    # Not blocking: a pipe in this place would make the start wait for its reader.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    file = os.open(path, flags, _MODE)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{path} is no file")
    return file
