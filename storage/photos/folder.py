"""Photo bytes as files of a folder: `ab/cd/<revision>`."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from storage.errors import PhotosUnavailable, StorageError, StorageFull, StoreMisconfigured
from storage.identity import RevisionId
from storage.photos.layout import is_revision, is_shelf, place_of

_PAGE = 1000
_THREADS = 8
# Files being written. It is made when the folder is opened, so its absence means that the disk
# is away (an unmounted one looks like an empty folder), not that photos are.
_INCOMING = "incoming"
# Longer than any write takes; another edge may be at work in the same folder.
_LITTER_SECONDS = 3600
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Result = TypeVar("Result")


class FolderPhotoStore:
    """A PhotoStore in a folder of the machine, or of a mounted disk.

    Calls go to threads of the store's own, so that a slow disk holds up nothing else; a call whose
    task is cancelled runs to its end there, and leaves a whole file or none.

    Raises StoreMisconfigured if the folder cannot be made or written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._durable_shelves: set[Path] = set()
        try:
            for made in (folder, self._incoming):
                made.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._write_something()
            self._clear_litter()
        except OSError as error:
            msg = f"photos cannot be kept in {folder}: {error.strerror}"
            raise StoreMisconfigured(msg) from error
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="photos")

    async def put(self, revision: RevisionId, data: bytes) -> None:
        await self._in_thread(partial(self._put, revision, data))

    async def get(self, revision: RevisionId) -> bytes | None:
        return await self._in_thread(partial(self._get, revision))

    async def remove(self, revisions: Sequence[RevisionId]) -> None:
        await self._in_thread(partial(self._remove, revisions))

    async def scan(self) -> AsyncIterator[Sequence[RevisionId]]:
        for shelf in await self._in_thread(self._shelves):
            kept = await self._in_thread(partial(_files_of, shelf))
            for start in range(0, len(kept), _PAGE):
                yield kept[start : start + _PAGE]

    async def ping(self) -> None:
        await self._in_thread(self._write_something)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, call)
        except OSError as error:
            raise _translation(error) from error

    def _put(self, revision: RevisionId, data: bytes) -> None:
        file = self._file(revision)
        arriving = self._incoming / f"{revision}.{secrets.token_hex(4)}"
        try:
            _write(arriving, data)
            self._make_shelf(file.parent)
            arriving.replace(file)
        except BaseException:
            arriving.unlink(missing_ok=True)
            raise
        try:
            _sync_folder(file.parent)
        except BaseException:  # it may be gone after a power cut, so it must be gone now
            file.unlink(missing_ok=True)
            raise

    def _get(self, revision: RevisionId) -> bytes | None:
        try:
            return self._file(revision).read_bytes()
        except FileNotFoundError:
            self._check_present()
            return None

    def _remove(self, revisions: Sequence[RevisionId]) -> None:
        self._check_present()
        for revision in revisions:
            self._file(revision).unlink(missing_ok=True)

    def _shelves(self) -> Sequence[Path]:
        self._check_present()
        self._clear_litter()
        return [shelf for shelf in self._folder.iterdir() if is_shelf(shelf.name)]

    def _file(self, revision: RevisionId) -> Path:
        return self._folder / place_of(revision)

    def _make_shelf(self, shelf: Path) -> None:
        if shelf in self._durable_shelves:
            return
        shelf.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # A power cut that takes a folder away takes its files too. Whoever made it may not have
        # got this far, so the first to use it makes sure.
        _sync_folder(shelf.parent)
        _sync_folder(self._folder)
        self._durable_shelves.add(shelf)

    def _check_present(self) -> None:
        if not self._incoming.is_dir():
            msg = f"{self._folder} is not what was opened: is the disk mounted?"
            raise PhotosUnavailable(msg)

    def _write_something(self) -> None:
        probe = self._incoming / f"ping.{secrets.token_hex(4)}"
        try:
            _write(probe, b"ping")
        finally:
            probe.unlink(missing_ok=True)

    def _clear_litter(self) -> None:
        """Remove what a process that was killed left half-written."""
        before = time.time() - _LITTER_SECONDS
        for file in self._incoming.iterdir():
            try:
                if file.stat().st_mtime < before:
                    file.unlink()
            except FileNotFoundError:  # finished, or another edge clears too
                continue


def _write(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with open(descriptor, "wb", buffering=0) as raw:  # noqa: PTH123  # a descriptor, not a path
        rest = memoryview(data)
        while rest:
            rest = rest[raw.write(rest) :]
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files_of(shelf: Path) -> list[RevisionId]:
    return [
        RevisionId(file.name)
        for folder in shelf.iterdir()
        if is_shelf(folder.name)
        for file in folder.iterdir()
        if is_revision(file.name)
    ]


def _translation(error: OSError) -> StorageError:
    if error.errno in _NO_ROOM:
        return StorageFull(str(error))
    return PhotosUnavailable(str(error))
