"""Whether a backup is still what was written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from storage.backups.files import sha256_of_file
from storage.backups.folder import PHOTOS, BackupFolder
from storage.backups.manifest import Manifest
from storage.backups.records import kept_photos
from storage.photos.layout import place_of

_AT_ONCE = 4

Progress = Callable[[int, int | None], None]


async def damaged_files(
    folder: BackupFolder, manifest: Manifest, progress: Progress
) -> Sequence[str]:
    """Every file, by its path in the backup, that is missing or is not what was written.

    Photos are named by records: where a part of the records is damaged, only parts are looked at.
    """
    total = len(manifest.parts) + manifest.photos.count
    parts = [(part.path, part.bytes, part.sha256) for part in manifest.parts]
    wrong = await _wrong_among(folder.path, parts, lambda done: progress(done, total))
    if wrong:
        return wrong
    lost = frozenset(manifest.photos.lost)
    photos = (
        (f"{PHOTOS}/{place_of(photo.revision)}", photo.bytes, photo.sha256)
        for photo in kept_photos(folder, manifest.tables)
        if photo.revision not in lost
    )
    return await _wrong_among(folder.path, photos, lambda done: progress(len(parts) + done, total))


async def _wrong_among(
    root: Path, files: Iterable[tuple[str, int, str]], progress: Callable[[int], None]
) -> list[str]:
    """Those that are not of this size and SHA-256."""
    wrong: list[str] = []
    done = 0
    waiting = iter(files)
    while batch := list(islice(waiting, _AT_ONCE)):
        are_right = await asyncio.gather(
            *(asyncio.to_thread(_is_right, root / path, size, sha) for path, size, sha in batch)
        )
        wrong += [file[0] for file, is_right in zip(batch, are_right, strict=True) if not is_right]
        done += len(batch)
        progress(done)
    return wrong


def _is_right(file: Path, size: int, sha256: str) -> bool:
    try:
        return file.stat().st_size == size and sha256_of_file(file) == sha256
    except OSError:
        return False
