"""Files that hold faces and names: for their owner only, and whole or not there."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from storage.backups.errors import FolderRefused
from storage.errors import StorageFull

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_BYTES = 1 << 20


@contextmanager
def created(file: Path) -> Iterator[BinaryIO]:
    """A new file to write; on the disk when the block has ended. FileExistsError if it is there."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with open(descriptor, "wb") as out:  # noqa: PTH123  # a descriptor, not a path
        yield out
        out.flush()
        os.fsync(descriptor)


def replace_file(file: Path, content: bytes) -> None:
    """Let the file have this content, at one moment."""
    arriving = file.with_name(file.name + ".new")
    arriving.unlink(missing_ok=True)
    with created(arriving) as out:
        out.write(content)
    arriving.replace(file)
    sync_folder(file.parent)


def make_folder(folder: Path) -> None:
    """Make it, and those above that are missing, for the owner only."""
    for each in [*reversed(folder.parents), folder]:
        if not each.exists():
            # Not `parents`: that would leave those above open to others.
            each.mkdir(mode=FOLDER_MODE, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Let a power cut not take the names of what was written there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of_file(file: Path) -> str:
    """64 hex digits. Raises OSError."""
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn OSError into StorageFull or FolderRefused, with the folder's name."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(f"no room in {folder}: {error.strerror}") from error
        where = error.filename or folder
        raise FolderRefused(f"{where} cannot be used: {error.strerror or error}") from error
