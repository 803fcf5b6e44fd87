"""Photos below folders of this machine."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from cli.indexing.source import (
    LARGEST_BYTES,
    FoundPhoto,
    PhotoContent,
    UnreadablePhoto,
    Unusable,
)
from cli.indexing.walk import find_photos


class FolderPhotos:
    """A PhotoSource.

    All folders are walked before the first photo: two files of one name are told while nothing has
    been sent.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._passed_over: Mapping[str, int] = {}
        self._total: int | None = None

    @property
    def name(self) -> str:
        return ", ".join(map(str, self._paths))

    @property
    def passed_over(self) -> Mapping[str, int]:
        return self._passed_over

    @property
    def total(self) -> int | None:
        return self._total

    async def photos(self) -> AsyncGenerator[FoundPhoto | Unusable, None]:
        found = await asyncio.to_thread(find_photos, self._paths)
        self._passed_over = found.passed_over
        self._total = len(found.photos) + len(found.unusable)
        for unusable in found.unusable:
            yield unusable
        for photo in found.photos:
            yield photo

    def known_sha256(self, photo: FoundPhoto) -> str | None:  # noqa: ARG002  # of the port
        # Size and time of a file say too little: copies keep both.
        return None

    async def read(self, photo: FoundPhoto) -> PhotoContent:
        try:
            return await asyncio.to_thread(_read, Path(photo.place))
        except OSError as error:
            raise UnreadablePhoto(f"cannot be read: {error.strerror}") from error


def _read(path: Path) -> PhotoContent:
    if path.stat().st_size > LARGEST_BYTES:
        raise UnreadablePhoto("the file is far too large for a photo")
    data = path.read_bytes()
    return PhotoContent(data, hashlib.sha256(data).hexdigest())
