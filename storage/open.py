"""From URLs to stores. The only place that knows which adapters there are."""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.errors import StorageError, StoreMisconfigured
from storage.photos.folder import FolderPhotoStore
from storage.photos.memory import MemoryPhotoStore
from storage.photos.port import PhotoStore
from storage.records.engines import sqlite_url
from storage.records.memory import MemoryRecordStore
from storage.records.port import RecordStore
from storage.records.sql import SqlRecordStore
from storage.settings import MEMORY_URL, StorageSettings
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import VectorStore
from storage.vectors.resident import ResidentVectorStore

_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Stores:
    """The three stores of one edge."""

    vectors: VectorStore
    records: RecordStore
    photos: PhotoStore
    are_exclusive: bool = False
    """Whether no other process can be at this base: the lock of a Lite folder proves it."""
    vectors_folder: Path | None = None
    """Where the vectors are kept, if on this machine."""


@asynccontextmanager
async def open_stores(settings: StorageSettings) -> AsyncIterator[Stores]:
    """Opens the stores that the settings name, and closes them at the end.

    A server by URL need not be there yet: its store says so at the first call. Raises
    StoreMisconfigured, one line that says what to do, for what cannot work: a data folder that
    cannot be written to, a Lite folder that is open elsewhere (StoreLocked).
    """
    if settings.needs_data_dir:
        await asyncio.to_thread(_make_writable, settings.data_dir)
    async with AsyncExitStack() as opened:
        # Importing pymilvus takes two seconds: in a thread, while the others open.
        opening = asyncio.create_task(_open_vectors(settings))
        opened.push_async_callback(_close_once_open, opening)
        records = await _open_records(settings)
        opened.push_async_callback(records.close)
        photos = await _open_photos(settings)
        opened.push_async_callback(photos.close)
        vectors = await opening
        if isinstance(vectors, ResidentVectorStore):
            yield Stores(vectors, records, photos, True, settings.data_dir)
        else:
            yield Stores(vectors, records, photos)


@asynccontextmanager
async def open_records(settings: StorageSettings) -> AsyncIterator[RecordStore]:
    """Opens the records alone, as a command does beside a running service. Raises as above."""
    if settings.needs_data_dir:
        await asyncio.to_thread(_make_writable, settings.data_dir)
    records = await _open_records(settings)
    try:
        yield records
    finally:
        await records.close()


async def _open_vectors(settings: StorageSettings) -> VectorStore:
    if settings.vectors_url == MEMORY_URL:
        return MemoryVectorStore()
    # What is imported in a thread is there already where it is asked for.
    if settings.uses_milvus_server:
        await asyncio.to_thread(importlib.import_module, "storage.vectors.milvus_server_open")
        from storage.vectors.milvus_server_open import open_server  # noqa: PLC0415

        return await open_server(settings)
    await asyncio.to_thread(importlib.import_module, "storage.vectors.milvus_lite_open")
    from storage.vectors.milvus_lite_open import open_lite  # noqa: PLC0415

    # Lite's lock proves that this is the only process, so memory can answer for the folder.
    return ResidentVectorStore(await open_lite(settings.data_dir / "vectors.db"))


async def _open_records(settings: StorageSettings) -> RecordStore:
    if settings.records_url == MEMORY_URL:
        return MemoryRecordStore()
    url = settings.records_url or sqlite_url(settings.data_dir.absolute() / "records.sqlite")
    return await SqlRecordStore.open(
        url,
        timeout_seconds=settings.timeout_seconds,
        connections=settings.records_connections,
    )


async def _open_photos(settings: StorageSettings) -> PhotoStore:
    if settings.photos_url == MEMORY_URL:
        return MemoryPhotoStore()
    if settings.uses_s3:
        from storage.photos.s3_open import open_s3  # noqa: PLC0415  # 15 MB that few need

        return await open_s3(settings)
    folder = settings.data_dir / "photos"
    if settings.photos_url:
        folder = Path(unquote(urlsplit(settings.photos_url).path))
    return await asyncio.to_thread(FolderPhotoStore, folder)


async def _close_once_open(opening: asyncio.Task[VectorStore]) -> None:
    try:
        vectors = await opening
    except StorageError:  # raised where the stores were asked for
        return
    await vectors.close()


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        msg = f"the data folder {folder} cannot be written to: {error.strerror}"
        raise StoreMisconfigured(msg) from error
