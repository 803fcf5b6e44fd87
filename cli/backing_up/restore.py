"""A backup into an empty base.

Bytes and vectors first, then all records in one transaction: until that one nothing shows, and
what was written before it is written again by the next try.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cli.backing_up.lease import sweep_held_off
from cli.backing_up.progress import Steps
from cli.backing_up.room import BYTES_PER_DIMENSION, ensure_room
from cli.backing_up.stores import kept_settings, photos_of, records_url, vectors_of
from cli.base.records import records_of
from cli.errors import CommandError
from cli.logs import quiet_logs
from edge.jobs import JOBS_LEASE
from storage.backups.errors import BackupDamaged, BaseNotEmpty
from storage.backups.folder import BackupFolder, for_reading
from storage.backups.manifest import Manifest
from storage.backups.photos import PhotoFiles, copy_photos, revisions_in
from storage.backups.records import check_fits, give_records, kept_photos
from storage.backups.vectors import give_vectors
from storage.backups.verify import damaged_files
from storage.identity import RevisionId, SpaceId
from storage.photos.port import PhotoStore
from storage.records.port import RecordStore
from storage.records.transfer import in_words, rows_there
from storage.settings import StorageSettings
from storage.vectors.port import VectorStore

# Vectors are written to a log first and to a segment later, with keys beside them.
_COPIES = 2
_BYTES_PER_KEY = 256


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """What to restore, and where."""

    data_dir: Path
    folder: Path
    is_check: bool = False
    """Look at the backup only."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored, or looked at."""

    folder: Path
    manifest: Manifest
    is_check: bool
    seconds: float


async def restore_base(order: RestoreOrder) -> RestoreReport:
    """Verify the backup and restore it; the progress is shown.

    Raises BackupError, CommandError or StorageError; the base shows nothing then, and the same
    command may be run again.
    """
    quiet_logs()
    started = time.monotonic()
    settings = None if order.is_check else kept_settings(order.data_dir)
    with for_reading(order.folder) as folder, Steps() as steps:
        manifest = folder.manifest()
        steps.begin("verifying", None)
        if damaged := await damaged_files(folder, manifest, steps.advance):
            raise BackupDamaged(damaged)
        check_fits(folder, manifest)
        if settings is not None:
            await _Restore(folder, manifest, settings, steps).run(order.data_dir)
    seconds = round(time.monotonic() - started, 1)
    return RestoreReport(folder.path, manifest, order.is_check, seconds)


class _Restore:
    """One backup that was verified into one base."""

    def __init__(
        self, folder: BackupFolder, manifest: Manifest, settings: StorageSettings, steps: Steps
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._settings = settings
        self._steps = steps
        self._url = records_url(settings)
        self._timeout = settings.timeout_seconds

    async def run(self, data_dir: Path) -> None:
        async with records_of(data_dir, is_made=True) as records:
            await self._ensure_nobody_works(records)
            async with sweep_held_off(records, f"restore of {self._folder.path}") as lease:
                await self._ensure_no_records()
                async with (
                    vectors_of(self._settings) as vectors,
                    photos_of(self._settings) as there,
                ):
                    present = await self._ensure_no_strangers(there, vectors)
                    self._ensure_room(present)
                    await self._photos(there, present)
                    await self._vectors(vectors)
                lease.ensure_held()
                self._steps.begin("restoring records", None)
                await give_records(
                    self._folder, self._manifest, self._url, timeout_seconds=self._timeout
                )

    async def _ensure_nobody_works(self, records: RecordStore) -> None:
        if await records.lease_held(JOBS_LEASE):
            raise CommandError(
                "a service runs on this base (or was killed a moment ago)",
                "stop it, and wait half a minute if it was killed",
            )

    async def _ensure_no_records(self) -> None:
        found = await rows_there(self._url, timeout_seconds=self._timeout)
        if found:
            raise BaseNotEmpty(f"the base is not empty ({in_words(found)})")

    async def _ensure_no_strangers(
        self, photos: PhotoStore, vectors: VectorStore
    ) -> frozenset[RevisionId]:
        """The photos that an interrupted restore has left. Raises BaseNotEmpty for any other."""
        # Records that were lost are no leave to mix what they named with something else.
        ours = {photo.revision for photo in kept_photos(self._folder, self._manifest.tables)}
        present = await revisions_in(photos)
        if strangers := len(present - ours):
            raise BaseNotEmpty(f"there are {strangers:,} other photos where the photos go")
        known = await vectors.spaces()
        for space in map(SpaceId, (space.id for space in self._manifest.spaces)):
            if space not in known:
                continue
            async for page in vectors.scan(space):
                if any(face.revision not in ours for face in page):
                    raise BaseNotEmpty(f"there are vectors of other photos in space {space}")
        return present

    def _ensure_room(self, present: frozenset[RevisionId]) -> None:
        new = (
            photo.bytes
            for photo in kept_photos(self._folder, self._manifest.tables)
            if photo.revision not in present
        )
        bytes_here = 0 if self._settings.photos_url else sum(new)
        if not self._settings.uses_milvus_server:
            bytes_here += sum(
                space.faces * (space.dim * BYTES_PER_DIMENSION * _COPIES + _BYTES_PER_KEY)
                for space in self._manifest.spaces
            )
        if not self._settings.records_url:
            # JSON is longer than rows, and the transaction is written twice.
            bytes_here += sum(part.bytes for table in self._manifest.tables for part in table.parts)
        if bytes_here:
            ensure_room(self._settings.data_dir, bytes_here)

    async def _photos(self, there: PhotoStore, present: frozenset[RevisionId]) -> None:
        lost = frozenset(self._manifest.photos.lost)
        self._steps.begin("restoring photos", self._manifest.photos.count - len(lost))
        photos = kept_photos(self._folder, self._manifest.tables)
        copied = await copy_photos(
            (photo for photo in photos if photo.revision not in lost),
            PhotoFiles(self._folder.photos),
            there,
            present=present,
            progress=self._steps.advance,
        )
        if copied.lost:
            raise BackupDamaged([f"photo {revision}" for revision in copied.lost])

    async def _vectors(self, vectors: VectorStore) -> None:
        for space in self._manifest.spaces:
            self._steps.begin(f"restoring vectors of {space.pack}", space.faces)
            await give_vectors(self._folder, space, vectors, self._steps.advance)
