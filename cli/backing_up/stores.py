"""The stores of a base one by one: a backup need not hold them all at the same time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL

from cli.base.records import settings_of
from cli.errors import UsageError
from storage.open import open_stores
from storage.photos.port import PhotoStore
from storage.records.engines import sqlite_url
from storage.settings import MEMORY_URL, PREFIX, StorageSettings
from storage.vectors.port import VectorStore


def kept_settings(data_dir: Path) -> StorageSettings:
    """Where everything of the base is kept.

    Raises StoreMisconfigured, or UsageError for a store that ends with its process.
    """
    settings = settings_of(data_dir)
    for name in ("vectors_url", "photos_url"):
        if getattr(settings, name) == MEMORY_URL:
            raise UsageError(
                f"what is kept in memory ({PREFIX}{name.upper()}={MEMORY_URL}) has no backup",
                f"unset {PREFIX}{name.upper()} for this",
            )
    return settings


def records_url(settings: StorageSettings) -> str | URL:
    """Of the database, as `storage.open` opens it."""
    return settings.records_url or sqlite_url(settings.data_dir.absolute() / "records.sqlite")


@asynccontextmanager
async def photos_of(settings: StorageSettings) -> AsyncIterator[PhotoStore]:
    """The photo store alone, beside whoever else has it open."""
    others = {"vectors_url": MEMORY_URL, "records_url": MEMORY_URL}
    async with open_stores(settings.model_copy(update=others)) as stores:
        yield stores.photos


@asynccontextmanager
async def vectors_of(settings: StorageSettings) -> AsyncIterator[VectorStore]:
    """The vector store alone. Raises StoreLocked for a Milvus Lite folder that somebody has."""
    others = {"photos_url": MEMORY_URL, "records_url": MEMORY_URL}
    async with open_stores(settings.model_copy(update=others)) as stores:
        yield stores.vectors
