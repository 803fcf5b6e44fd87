"""What can be wrong with a backup, or with where it is to go.

StorageError
└── BackupError
    ├── NoBackup          no complete backup in the folder, or one of a newer version
    ├── BackupDamaged     parts or photos are missing or are not what was written
    ├── FolderInUse       another backup or restore is at the folder
    ├── FolderRefused     the folder holds something else, or cannot be written to
    ├── BaseNotEmpty      a restore would mix two bases
    └── BaseChanged       what was to be copied went meanwhile: run it again
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import StorageError

_NAMED = 5


class BackupError(StorageError):
    """Base of what is raised here. `str(error)` is one line for whoever ran the command."""


class NoBackup(BackupError):
    """There is no complete backup in the folder, or this version cannot read it."""


class BackupDamaged(BackupError):
    """Files are missing or are not what was written."""

    def __init__(self, files: Sequence[str]) -> None:
        rest = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        super().__init__(f"damaged or missing: {', '.join(files[:_NAMED])}{rest}")
        self.files = tuple(files)
        """Paths within the backup."""


class FolderInUse(BackupError):
    """Another backup or restore is at work in the folder."""


class FolderRefused(BackupError):
    """The folder holds something that is no backup, or cannot be written to."""


class BaseNotEmpty(BackupError):
    """There is something already where the backup is to go. Nothing was changed."""


class BaseChanged(BackupError):
    """What was to be copied went in the meantime."""
