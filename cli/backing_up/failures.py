"""What is wrong with a backup or a base, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cli.errors import CommandError, UsageError
from storage.backups.errors import (
    BackupDamaged,
    BaseChanged,
    BaseNotEmpty,
    FolderInUse,
    FolderRefused,
    NoBackup,
)
from storage.errors import StoreLocked
from storage.records.transfer import NotEmpty, RowsRefused

_ELSEWHERE = "name another --data-dir, or other STORAGE_*_URL; nothing was changed"


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a backup or a restore raises into a line for its user, and what to do."""
    try:
        yield
    except BackupDamaged as error:
        raise UsageError(
            str(error), "take another copy of the backup, or an older one; nothing was restored"
        ) from error
    except (BaseNotEmpty, NotEmpty) as error:
        raise UsageError(f"{error}: a restore needs an empty one", _ELSEWHERE) from error
    except (NoBackup, RowsRefused, FolderRefused) as error:
        raise UsageError(str(error)) from error
    except FolderInUse as error:
        raise CommandError(str(error), "wait until it has ended") from error
    except BaseChanged as error:
        raise CommandError(str(error), "run the same command again: it goes on") from error
    except StoreLocked as error:
        raise CommandError(str(error), "stop the service that uses it") from error
