"""Photo bytes as objects of an S3 bucket: `<prefix>/ab/cd/<revision>`."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from obstore.exceptions import BaseError
from obstore.store import S3Store

from storage.errors import PhotosUnavailable
from storage.identity import RevisionId
from storage.photos.layout import place_of, revision_at
from storage.photos.s3_errors import Bucket, is_no_such_object, too_slow, translated

_PAGE = 1000  # what S3 lists, and removes, at once
_PING = "ping"
_SHA256 = "sha256"


class S3PhotoStore:
    """A PhotoStore in a bucket.

    One PUT stores a photo, signed over its content: S3 checks the whole of it and shows it then, or
    never. Failed calls are repeated with growing pauses while there is time. A call that is
    cancelled or late may still take effect there; what it leaves is whole, and swept if no record
    names it.
    """

    def __init__(
        self,
        objects: S3Store,
        bucket: Bucket,
        *,
        timeout_seconds: float,
        connections: int,
        has_key: bool,
    ) -> None:
        """objects: beneath the prefix. has_key: False if it is looked for outside the settings."""
        self._objects = objects
        self._bucket = bucket
        self._timeout_seconds = timeout_seconds
        self._free = asyncio.Semaphore(connections)
        self._has_key = has_key
        self._is_proven = False

    async def put(self, revision: RevisionId, data: bytes) -> None:
        place = place_of(revision)
        digest = await asyncio.to_thread(_sha256, data)
        async with self._call("write to"):
            await self._put(place, data, digest)

    async def get(self, revision: RevisionId) -> bytes | None:
        place = place_of(revision)
        async with self._call("read"):
            try:
                found = await self._objects.get_async(place)
            except FileNotFoundError as error:
                if is_no_such_object(error):
                    return None
                raise
            data = bytes(await found.bytes_async())
        # Objects that came by another way, such as `aws s3 sync`, have none.
        digest = found.attributes.get(_SHA256)
        if digest is not None and digest != await asyncio.to_thread(_sha256, data):
            raise PhotosUnavailable(f"{place} of {self._bucket} is not what was stored")
        return data

    async def remove(self, revisions: Sequence[RevisionId]) -> None:
        places = [place_of(revision) for revision in revisions]
        for start in range(0, len(places), _PAGE):
            async with self._call("remove from"):
                await self._objects.delete_async(places[start : start + _PAGE])

    async def scan(self) -> AsyncIterator[Sequence[RevisionId]]:
        listing = self._objects.list(chunk_size=_PAGE)
        while True:
            async with self._call("list"):
                page = await anext(listing, None)
            if page is None:
                return
            # Whatever else lies there is not ours: it must not be swept.
            found = (revision_at(item["path"]) for item in page)
            yield [revision for revision in found if revision is not None]

    async def ping(self) -> None:
        """Return if the bucket answers; the first time, if everything is allowed there.

        Later it only asks for a listing: an object every few seconds would fill a bucket that
        keeps old versions.
        """
        if not self._is_proven:
            await self.prove()
            return
        async with self._call("list"):
            await anext(self._objects.list(_PING, chunk_size=1), None)

    async def prove(self) -> None:
        """Write, read, list and remove something. Raises PhotosRefused for what is not allowed."""
        place = f"{_PING}/{secrets.token_hex(8)}"
        async with self._call("write to"):
            await self._put(place, b"ping", _sha256(b"ping"))
        async with self._call("read"):
            await (await self._objects.get_async(place)).bytes_async()
        async with self._call("list"):
            await anext(self._objects.list(_PING, chunk_size=1), None)
        async with self._call("remove from"):
            await self._objects.delete_async([place])
        self._is_proven = True

    async def close(self) -> None:
        # Its connections close when nobody holds it any more.
        return

    async def _put(self, place: str, data: bytes, digest: str) -> None:
        # Never in parts, several of which would lie about invisibly if one of them failed.
        await self._objects.put_async(
            place, data, attributes={_SHA256: digest}, use_multipart=False
        )

    @asynccontextmanager
    async def _call(self, doing: str) -> AsyncIterator[None]:
        """One call to S3, in the time that it has and with what storage may raise."""
        try:
            async with asyncio.timeout(self._timeout_seconds), self._free:
                yield
        except TimeoutError as error:
            slow = too_slow(self._bucket, self._timeout_seconds, has_key=self._has_key)
            raise slow from error
        except (BaseError, OSError) as error:
            raise translated(error, self._bucket, doing) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
