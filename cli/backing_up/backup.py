"""A backup from the first row to the page that makes it one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cli.backing_up.copying import BaseCopy
from cli.backing_up.lease import sweep_held_off
from cli.backing_up.progress import Steps
from cli.backing_up.stores import kept_settings
from cli.base.records import records_of
from cli.logs import quiet_logs
from storage.backups.folder import BackupFolder, for_writing
from storage.backups.manifest import Manifest
from storage.backups.photos import PhotosCopied
from storage.records.ids import new_id
from storage.records.port import RecordStore
from storage.settings import StorageSettings


@dataclass(frozen=True, slots=True)
class BackupOrder:
    """What to back up, and where."""

    data_dir: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What the folder holds now."""

    folder: Path
    manifest: Manifest
    photos: PhotosCopied
    photos_removed: int
    """Files of photos that are not in the base any more."""
    seconds: float

    @property
    def vectors_missing(self) -> int:
        """Indexed faces that no search of the base can find."""
        return sum(space.missing for space in self.manifest.spaces)

    @property
    def is_clean(self) -> bool:
        """Whether everything that the records name was there."""
        return not self.manifest.photos.lost and not self.vectors_missing


async def take_backup(order: BackupOrder) -> BackupReport:
    """Back the base up; the progress is shown.

    What an interrupted backup has copied is not copied again. Raises CommandError or StorageError
    if it cannot be done; a backup that was in the folder before is whole all the same.
    """
    quiet_logs()
    started = time.monotonic()
    settings = kept_settings(order.data_dir)
    async with records_of(order.data_dir) as records:
        with for_writing(order.folder) as folder, Steps() as steps:
            manifest, photos, removed = await _into(folder, settings, records, steps)
    seconds = round(time.monotonic() - started, 1)
    return BackupReport(folder.path, manifest, photos, removed, seconds)


async def _into(
    folder: BackupFolder, settings: StorageSettings, records: RecordStore, steps: Steps
) -> tuple[Manifest, PhotosCopied, int]:
    backup_id = new_id()
    copy = BaseCopy(backup_id, folder.start(backup_id), folder, settings, records, steps)
    is_complete = False
    try:
        # What is removed or replaced meanwhile stays where it is until the sweep collects it. So
        # all is there that the records named at one moment, if nobody sweeps until it is copied.
        async with sweep_held_off(records, f"backup into {folder.path}") as lease:
            manifest, photos = await copy.run()
            lease.ensure_held()
        folder.complete(manifest)
        is_complete = True
    finally:
        if not is_complete:
            folder.discard(backup_id)
    return manifest, photos, await copy.prune(manifest)
