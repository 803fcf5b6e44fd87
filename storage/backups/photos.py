"""Bytes from one photo store to another, each checked against what the records say of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from storage.backups.records import KeptPhoto
from storage.errors import PhotosUnavailable
from storage.identity import RevisionId
from storage.photos.layout import place_of
from storage.photos.port import PhotoStore

_AT_ONCE = 8
"""Enough to keep a disk or a bucket busy; so many photos are in memory."""

Progress = Callable[[int, int | None], None]


class PhotoSource(Protocol):
    """Where bytes are read: a PhotoStore, or the files of a backup."""

    async def get(self, revision: RevisionId) -> bytes | None:
        """The bytes, or None if there are none. Raises PhotosUnavailable."""
        ...


class PhotoFiles:
    """The photos of a backup, to be read only: its disk may take no writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def get(self, revision: RevisionId) -> bytes | None:
        file = self._folder / place_of(revision)
        try:
            return await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PhotosUnavailable(f"{file} cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class PhotosCopied:
    """How the copying ended."""

    copied: int
    kept: int
    """… which were there already."""
    copied_bytes: int
    lost: tuple[RevisionId, ...]
    """Revisions that the source has no bytes of, or other ones."""

    @property
    def count(self) -> int:
        """Photos that are there now."""
        return self.copied + self.kept


async def revisions_in(store: PhotoStore) -> frozenset[RevisionId]:
    """Every revision that the store has bytes of."""
    return frozenset([revision async for page in store.scan() for revision in page])


async def copy_photos(
    photos: Iterable[KeptPhoto],
    source: PhotoSource,
    target: PhotoStore,
    *,
    present: Collection[RevisionId],
    progress: Progress,
) -> PhotosCopied:
    """Let the target have these photos.

    `present`: what the target has already. It is read, and copied again unless it is what it should
    be. Raises PhotosUnavailable, StorageFull.
    """
    copied = kept = copied_bytes = 0
    lost: list[RevisionId] = []
    waiting = iter(photos)
    while batch := list(islice(waiting, _AT_ONCE)):
        endings = await asyncio.gather(
            *(_copy(photo, source, target, is_present=photo.revision in present) for photo in batch)
        )
        for photo, is_copied in zip(batch, endings, strict=True):
            if is_copied is None:
                lost.append(photo.revision)
            elif is_copied:
                copied += 1
                copied_bytes += photo.bytes
            else:
                kept += 1
        progress(copied + kept + len(lost), None)
    return PhotosCopied(copied, kept, copied_bytes, tuple(lost))


async def _copy(
    photo: KeptPhoto, source: PhotoSource, target: PhotoStore, *, is_present: bool
) -> bool | None:
    """Whether it had to be copied; None if the source has not got it."""
    if is_present and await is_right(photo, await target.get(photo.revision)):
        return False
    data = await source.get(photo.revision)
    if data is None or not await is_right(photo, data):
        return None
    await target.put(photo.revision, data)
    return True


async def is_right(photo: KeptPhoto, data: bytes | None) -> bool:
    """Whether these are the bytes of the photo."""
    if data is None or len(data) != photo.bytes:
        return False
    digest = await asyncio.to_thread(hashlib.sha256, data)
    return digest.hexdigest() == photo.sha256
