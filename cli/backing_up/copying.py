"""What a backup copies: records of one moment, then the bytes and the vectors that they name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cli.backing_up.progress import Steps
from cli.backing_up.room import BYTES_PER_DIMENSION, ensure_room
from cli.backing_up.stores import photos_of, records_url
from cli.backing_up.vectors import copy_vectors
from cli.errors import CommandError
from edge import __version__
from storage.backups.errors import BaseChanged
from storage.backups.files import translated
from storage.backups.folder import BackupFolder
from storage.backups.manifest import Manifest, Photos, SpaceVectors, TableParts
from storage.backups.photos import PhotosCopied, copy_photos, revisions_in
from storage.backups.records import (
    KeptSpace,
    indexed_faces,
    kept_photos,
    kept_spaces,
    take_records,
)
from storage.backups.vectors import forget_wanted, parts_of_space, want
from storage.identity import RevisionId, SpaceId
from storage.photos.folder import FolderPhotoStore
from storage.photos.port import PhotoStore
from storage.records.port import RecordStore
from storage.records.rules import SHOWN
from storage.settings import StorageSettings

_BYTES_PER_NAME = 200
"""Of a face in a list of faces, about."""


class BaseCopy:
    """Copies a base into a folder that nobody else uses, while nothing of the base is collected."""

    def __init__(
        self,
        backup_id: str,
        parts: Path,
        folder: BackupFolder,
        settings: StorageSettings,
        records: RecordStore,
        steps: Steps,
    ) -> None:
        """`parts`: where everything but the photos goes."""
        self._id = backup_id
        self._parts = parts
        self._folder = folder
        self._settings = settings
        self._records = records
        self._steps = steps

    async def run(self) -> tuple[Manifest, PhotosCopied]:
        """Copy everything; the page that names it all is not written yet.

        Raises BaseChanged, CommandError and whatever the stores raise.
        """
        self._steps.begin("copying records", None)
        taken = await take_records(
            records_url(self._settings),
            self._folder,
            self._parts,
            timeout_seconds=self._settings.timeout_seconds,
        )
        spaces = kept_spaces(self._folder, taken.tables)
        faces = indexed_faces(self._folder, taken.tables)
        wanted = await asyncio.to_thread(want, self._parts, faces)
        async with self._photos_here() as here:
            present = await revisions_in(here)
            kept = self._measure(taken.tables, present, wanted, spaces)
            vectors = await self._copy_vectors(spaces, wanted)
            forget_wanted(self._parts)
            photos = await self._copy_photos(taken.tables, here, present, kept.count)
        manifest = Manifest(
            facesearch=__version__,
            schema_version=taken.schema_version,
            id=self._id,
            taken_at=taken.moment,
            indexed_faces=wanted,
            tables=taken.tables,
            spaces=tuple([await self._space(space, wanted) for space in spaces]),
            photos=Photos(count=kept.count, bytes=kept.bytes, lost=photos.lost),
        )
        await self._ensure_unchanged(photos, spaces, vectors, wanted)
        return manifest, photos

    def _measure(
        self,
        tables: Sequence[TableParts],
        present: Collection[RevisionId],
        wanted: int,
        spaces: Sequence[KeptSpace],
    ) -> Photos:
        """How much there is to copy. Raises CommandError if the disk has no room for it."""
        count = all_bytes = new_bytes = 0
        for photo in kept_photos(self._folder, tables):
            count += 1
            all_bytes += photo.bytes
            new_bytes += 0 if photo.revision in present else photo.bytes
        per_face = sum(BYTES_PER_DIMENSION * space.dim + _BYTES_PER_NAME for space in spaces)
        ensure_room(self._folder.path, new_bytes + wanted * per_face)
        return Photos(count=count, bytes=all_bytes)

    async def prune(self, manifest: Manifest) -> int:
        """Remove the photos of former backups that this one does not hold; how many."""
        async with self._photos_here() as here:
            named = {photo.revision for photo in kept_photos(self._folder, manifest.tables)}
            former = [each for each in await revisions_in(here) if each not in named]
            await here.remove(former)
        return len(former)

    async def _copy_photos(
        self,
        tables: Sequence[TableParts],
        here: PhotoStore,
        present: Collection[RevisionId],
        count: int,
    ) -> PhotosCopied:
        self._steps.begin("copying photos", count)
        async with photos_of(self._settings) as source:
            return await copy_photos(
                kept_photos(self._folder, tables),
                source,
                here,
                present=present,
                progress=self._steps.advance,
            )

    async def _copy_vectors(
        self, spaces: Sequence[KeptSpace], wanted: int
    ) -> Mapping[SpaceId, int]:
        self._steps.begin("copying vectors", wanted * len(spaces))
        if not wanted:
            return {}
        ids = [space.id for space in spaces]
        return await copy_vectors(self._settings, self._records, self._parts, ids, self._steps)

    async def _space(self, space: KeptSpace, wanted: int) -> SpaceVectors:
        with translated(self._folder.path):
            parts = await asyncio.to_thread(parts_of_space, self._folder, self._parts, space.id)
        found = sum(part.faces.rows for part in parts)
        return SpaceVectors(
            id=space.id,
            pack=space.pack,
            version=space.version,
            dim=space.dim,
            is_active=space.is_active,
            parts=parts,
            missing=wanted - found if space.is_active else 0,
        )

    async def _ensure_unchanged(
        self,
        photos: PhotosCopied,
        spaces: Sequence[KeptSpace],
        vectors: Mapping[SpaceId, int],
        wanted: int,
    ) -> None:
        """Raises BaseChanged if what is missing went meanwhile; CommandError if all is missing."""
        for revision in photos.lost:
            now = await self._records.revision(revision)
            if now is None or now.revision.state not in SHOWN:
                raise BaseChanged("photos were collected while they were to be copied")
        known = {space.id for space in await self._records.spaces()}
        for space in spaces:
            if space.is_active and space.id not in known:
                raise BaseChanged(f"space {space.id} was dropped while it was to be copied")
            if space.is_active and wanted and not vectors[space.id]:
                raise CommandError(
                    f"none of the {wanted:,} vectors is where the settings and --data-dir say",
                    "run it where the service runs, with its settings; if the vectors are lost, "
                    "`facesearch check --repair` makes them again",
                )

    @asynccontextmanager
    async def _photos_here(self) -> AsyncIterator[FolderPhotoStore]:
        here = await asyncio.to_thread(FolderPhotoStore, self._folder.photos)
        try:
            yield here
        finally:
            await here.close()
