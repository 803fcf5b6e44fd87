"""The records of a base, opened beside a running service: SQL takes several processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.errors import UsageError
from storage.open import open_records
from storage.records.port import RecordStore
from storage.settings import MEMORY_URL, StorageSettings, load_settings


def settings_of(data_dir: Path) -> StorageSettings:
    """Where everything of the base is kept: as the environment says, in this folder.

    Raises StoreMisconfigured, or UsageError for records that end with their process.
    """
    settings = load_settings(data_dir=data_dir)
    if settings.records_url == MEMORY_URL:
        raise UsageError(
            f"records in memory ({MEMORY_URL}) cannot be shared with another process",
            "unset STORAGE_RECORDS_URL for this",
        )
    return settings


@asynccontextmanager
async def records_of(data_dir: Path, *, is_made: bool = False) -> AsyncIterator[RecordStore]:
    """The records of the base in this folder.

    `is_made`: an empty base is made if there is none; otherwise that is a UsageError.
    """
    settings = settings_of(data_dir)
    is_there = bool(settings.records_url) or await asyncio.to_thread(data_dir.is_dir)
    if not is_made and not is_there:
        raise UsageError(
            f"there is no base in {data_dir}",
            "name its folder with --data-dir; `facesearch up` or `facesearch index` makes one",
        )
    async with open_records(settings) as records:
        yield records
