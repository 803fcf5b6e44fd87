"""The folder that a backup is in: one user at a time, and one page that says what counts."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.backups.errors import FolderInUse, FolderRefused, NoBackup
from storage.backups.files import FILE_MODE, make_folder, replace_file, sync_folder, translated
from storage.backups.manifest import Manifest

MANIFEST = "manifest.json"
LOCK = "backup.lock"
PARTS = "parts"
PHOTOS = "photos"


class BackupFolder:
    """A folder with a backup, or for one. Made by `for_writing` and `for_reading`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def photos(self) -> Path:
        """Where the bytes of photos are, of one backup and the next."""
        return self.path / PHOTOS

    @property
    def free_bytes(self) -> int:
        """What the disk has left for whoever asks."""
        with translated(self.path):
            return shutil.disk_usage(self.path).free

    def parts(self, backup_id: str) -> Path:
        """Where the other files of a backup are."""
        return self.path / PARTS / backup_id

    def start(self, backup_id: str) -> Path:
        """Make the folder of a new backup's parts; what was left of interrupted ones goes."""
        complete = self.manifest() if self.is_complete else None
        with translated(self.path):
            make_folder(self.path / PARTS)
            for left in (self.path / PARTS).iterdir():
                if complete is None or left.name != complete.id:
                    shutil.rmtree(left)
            parts = self.parts(backup_id)
            make_folder(parts)
            return parts

    def complete(self, manifest: Manifest) -> None:
        """From this moment on the folder holds this backup, and the parts of no other one."""
        with translated(self.path):
            _sync_all(self.parts(manifest.id))
            sync_folder(self.path / PARTS)
            replace_file(self.path / MANIFEST, manifest.encoded())
            for former in (self.path / PARTS).iterdir():
                if former.name != manifest.id:
                    shutil.rmtree(former)

    def discard(self, backup_id: str) -> None:
        """Remove the parts of a backup that came to no end. Its photos stay, for the next one."""
        shutil.rmtree(self.parts(backup_id), ignore_errors=True)

    @property
    def is_complete(self) -> bool:
        """Whether there is a backup."""
        return (self.path / MANIFEST).is_file()

    def manifest(self) -> Manifest:
        """What the backup holds. Raises NoBackup."""
        file = self.path / MANIFEST
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise NoBackup(_no_backup_in(self.path)) from None
        except OSError as error:
            raise NoBackup(f"{file} cannot be read: {error.strerror}") from error
        return Manifest.decoded(data)


@contextmanager
def for_writing(path: Path) -> Iterator[BackupFolder]:
    """The folder, made if it is not there, while nobody else is at it.

    Raises FolderRefused if it holds something that is no backup, or cannot be written to;
    FolderInUse.
    """
    path = path.absolute()
    with translated(path):
        make_folder(path)
        is_ours = (path / LOCK).exists() or (path / MANIFEST).exists()
        if not is_ours and next(path.iterdir(), None) is not None:
            raise FolderRefused(
                f"{path} is not empty and holds no backup: name an empty folder, or a new one"
            )
        lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR, FILE_MODE)
    with _locked(lock, fcntl.LOCK_EX, path):
        yield BackupFolder(path)


@contextmanager
def for_reading(path: Path) -> Iterator[BackupFolder]:
    """The folder with its backup, which does not change meanwhile. Raises NoBackup, FolderInUse."""
    path = path.absolute()
    if not path.is_dir():
        raise NoBackup(f"there is no folder {path}")
    try:
        lock = os.open(path / LOCK, os.O_RDONLY)
    except FileNotFoundError:  # copied without it, or from a disk that takes no writes
        yield BackupFolder(path)
        return
    except OSError as error:
        raise NoBackup(f"{path} cannot be read: {error.strerror}") from error
    with _locked(lock, fcntl.LOCK_SH, path):
        yield BackupFolder(path)


@contextmanager
def _locked(lock: int, kind: int, path: Path) -> Iterator[None]:
    try:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(f"another backup or restore is at work in {path}") from error
        yield
    finally:
        os.close(lock)


def _sync_all(folder: Path) -> None:
    sync_folder(folder)
    for below in folder.rglob("*"):
        if below.is_dir():
            sync_folder(below)


def _no_backup_in(path: Path) -> str:
    if (path / PARTS).is_dir() or (path / LOCK).exists():
        return (
            f"the backup in {path} is not complete: it was interrupted before its end. "
            "Run `facesearch backup` again; it goes on where it was"
        )
    return f"there is no backup in {path}: manifest.json is missing"
