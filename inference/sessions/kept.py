"""Files that spare the next start some work. Any of them may be missing, damaged or lost."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

import structlog

MAX_BYTES = 1 << 30
"""Of all files of a folder; the ones that were not used for longest go."""
DIGEST_BYTES = hashlib.sha256().digest_size

_log = structlog.get_logger("inference.kept")


class KeptFiles:
    """A folder of results by name, each with its SHA-256 in front.

    Any number of processes may share it: a file appears whole or not at all, and who writes a name
    last wins. Nothing here raises for what the disk does: a file
    that cannot be read is made anew, one that cannot be written is not kept.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._is_writable = _make_folder(folder)

    def read(self, name: str) -> bytes | None:
        """The content kept under a name; None: there is none. A damaged file is deleted."""
        file = self._folder / name
        try:
            sealed = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("cannot_read", file=str(file), reason=error.strerror)
            return None
        digest, content = sealed[:DIGEST_BYTES], sealed[DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            _log.warning("damaged_file_deleted", file=str(file))
            self.forget(name)
            return None
        with contextlib.suppress(OSError):
            os.utime(file)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep content under a name, if the disk allows it."""
        if not self._is_writable:
            return
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as part:
                try:
                    part.write(hashlib.sha256(content).digest())
                    part.write(content)
                    part.close()
                    Path(part.name).replace(self._folder / name)
                except BaseException:
                    Path(part.name).unlink(missing_ok=True)
                    raise
            self._drop_oldest()
        except OSError as error:
            _log.warning("cannot_keep", folder=str(self._folder), reason=error.strerror)

    def forget(self, name: str) -> None:
        """Delete what is kept under a name, if anything is."""
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()

    def _drop_oldest(self) -> None:
        # Also what a process left behind that was killed while it wrote.
        states: dict[Path, os.stat_result] = {}
        for file in self._folder.iterdir():
            # Another process may clear up as well.
            with contextlib.suppress(FileNotFoundError):
                # Folders are others' business, such as TensorRT's.
                if file.is_file():
                    states[file] = file.stat()
        held = sum(state.st_size for state in states.values())
        for file in sorted(states, key=lambda file: states[file].st_mtime):
            if held <= self._max_bytes:
                return
            file.unlink(missing_ok=True)
            held -= states[file].st_size


def _make_folder(folder: Path) -> bool:
    """Whether files can be kept in it. A folder made by somebody else may be good to read."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        _log.warning(
            "nothing_is_kept",
            folder=str(folder),
            reason=error.strerror,
            consequence="every start compiles its networks again; set INFERENCE_CACHE_DIR",
        )
        return False
