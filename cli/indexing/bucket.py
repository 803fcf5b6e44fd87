"""Photos below a prefix of an S3 bucket."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from pathlib import PurePosixPath

from cli.errors import ExitCode
from cli.indexing.digests import Digests
from cli.indexing.source import (
    LARGEST_BYTES,
    FoundPhoto,
    NotAPhoto,
    PhotoContent,
    SourceGaveUp,
    SourceTrouble,
    UnreadablePhoto,
    Unusable,
)
from cli.indexing.walk import EXTENSIONS, SNIFFED_BYTES, begins_like_a_photo, id_problem
from storage.errors import PhotosUnavailable
from storage.photos.layout import revision_at
from storage.photos.s3_errors import PhotosRefused
from storage.photos.s3_objects import (
    KeyUnlistable,
    ListedObject,
    ObjectDenied,
    ObjectUnreadable,
    S3Objects,
)

_NO_EXTENSION = "(none)"
_STORE = "(photos of a base)"
_SHELVES = 3  # parts of the place of a photo in a photo store


class BucketPhotos:
    """A PhotoSource. Listed a page at a time, while what is on the page is sent."""

    def __init__(
        self, objects: S3Objects, digests: Digests | None, *, is_reread: bool = False
    ) -> None:
        """digests: of objects that were read before; is_reread: read them again all the same."""
        self._objects = objects
        self._digests = digests
        self._is_reread = is_reread
        self._passed_over: Counter[str] = Counter()
        self._total: int | None = None

    @property
    def name(self) -> str:
        return str(self._objects.bucket)

    @property
    def passed_over(self) -> Mapping[str, int]:
        return self._passed_over

    @property
    def total(self) -> int | None:
        return self._total

    async def photos(self) -> AsyncGenerator[FoundPhoto | Unusable, None]:
        count = 0
        try:
            async for page in self._objects.pages():
                for listed in page:
                    found = self._as_photo(listed)
                    if found is not None:
                        count += 1
                        yield found
        except (KeyUnlistable, PhotosRefused) as error:
            raise SourceGaveUp(str(error), exit_code=ExitCode.USAGE) from error
        except PhotosUnavailable as error:
            raise SourceGaveUp(f"{self.name} cannot be listed: {error}") from error
        self._total = count

    def known_sha256(self, photo: FoundPhoto) -> str | None:
        if self._digests is None or self._is_reread:
            return None
        return self._digests.sha256(photo.place, photo.stamp)

    async def read(self, photo: FoundPhoto) -> PhotoContent:
        try:
            if not PurePosixPath(photo.place).suffix:
                await self._look_at_beginning(photo.place)
            content = await self._objects.read(photo.place, LARGEST_BYTES)
        except ObjectDenied as error:
            raise SourceTrouble(str(error), is_temporary=False) from error
        except ObjectUnreadable as error:
            raise UnreadablePhoto(str(error)) from error
        except PhotosRefused as error:
            raise SourceGaveUp(str(error)) from error
        except PhotosUnavailable as error:
            raise SourceTrouble(str(error), is_temporary=True) from error
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content.data).hexdigest())
        if self._digests is not None:
            self._digests.keep(photo.place, content.stamp, sha256)
        return PhotoContent(content.data, sha256)

    async def _look_at_beginning(self, key: str) -> None:
        if not begins_like_a_photo(await self._objects.beginning(key, SNIFFED_BYTES)):
            self._passed_over[_NO_EXTENSION] += 1
            raise NotAPhoto

    def _as_photo(self, listed: ListedObject) -> FoundPhoto | Unusable | None:
        path = PurePosixPath(listed.key)
        if any(part.startswith(".") for part in path.parts):
            return None
        extension = path.suffix.lower()
        if extension not in EXTENSIONS and (other := _other_kind(listed, path)):
            self._passed_over[other] += 1
            return None
        photo_id = unicodedata.normalize("NFC", listed.key)
        problem = id_problem(photo_id) or _size_problem(listed.size_bytes)
        if problem is not None:
            return Unusable(listed.key, problem)
        return FoundPhoto(photo_id, listed.key, listed.stamp)


def _other_kind(listed: ListedObject, path: PurePosixPath) -> str:
    """Why an object without the extension of a photo is none; empty: its first bytes must tell.

    They are not asked for where there is another extension: that is a request for each.
    """
    if path.suffix:
        return path.suffix.lower()
    if revision_at("/".join(path.parts[-_SHELVES:])) is not None:
        return _STORE  # our own: a base must not grow by itself
    return "" if listed.size_bytes >= SNIFFED_BYTES else _NO_EXTENSION


def _size_problem(size_bytes: int) -> str | None:
    if size_bytes > LARGEST_BYTES:
        return "the object is far too large for a photo"
    return None if size_bytes else "it is empty"
