"""Photo bytes as objects of an S3 bucket: `<prefix>/ab/cd/<revision>`."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from obstore.exceptions import BaseError
from obstore.store import S3Store

from storage.errors import PhotosUnavailable
from storage.identity import RevisionId
from storage.photos.layout import place_of, revision_at
from storage.photos.s3_errors import Bucket, is_no_such_object, too_slow, translated

_PAGE = 1000  # what S3 lists, and removes, at once
_PING = "ping"
_SHA256 = "sha256"

Result = TypeVar("Result")


class S3PhotoStore:
    """A PhotoStore in a bucket.

    One PUT stores a photo, signed over its content: S3 checks the whole of it and shows it then, or
    never. Failed calls are repeated with growing pauses while there is time. A call that is
    cancelled or late may still take effect there; what it leaves is whole, and swept if no record
    names it.

    Calls go to threads of the store's own, as many as there may be connections, where they hold no
    lock of Python. obstore's calls for asyncio end in threads that nobody can wait for: a process
    that ended right after one was aborted 9 times of 27 (PyO3/pyo3-async-runtimes#40).
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
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="photos")
        self._has_key = has_key
        self._is_proven = False

    async def put(self, revision: RevisionId, data: bytes) -> None:
        await self._call("write to", partial(self._put, place_of(revision), data))

    async def get(self, revision: RevisionId) -> bytes | None:
        return await self._call("read", partial(self._get, place_of(revision)))

    async def remove(self, revisions: Sequence[RevisionId]) -> None:
        places = [place_of(revision) for revision in revisions]
        for start in range(0, len(places), _PAGE):
            page = places[start : start + _PAGE]
            await self._call("remove from", partial(self._objects.delete, page))

    async def scan(self) -> AsyncIterator[Sequence[RevisionId]]:
        listing = self._objects.list(chunk_size=_PAGE)
        while (page := await self._call("list", partial(next, listing, None))) is not None:
            # Whatever else lies there is not ours: it must not be swept.
            found = (revision_at(item["path"]) for item in page)
            yield [revision for revision in found if revision is not None]

    async def ping(self) -> None:
        """Return if the bucket answers; the first time, if everything is allowed there.

        Later it only asks for a listing: an object every few seconds would fill a bucket that
        keeps old versions.
        """
        if self._is_proven:
            await self._call("list", self._look)
        else:
            await self.prove()

    async def prove(self) -> None:
        """Write, read, list and remove something. Raises PhotosRefused for what is not allowed."""
        place = f"{_PING}/{secrets.token_hex(8)}"
        await self._call("write to", partial(self._put, place, b"ping"))
        await self._call("read", partial(self._get, place))
        await self._call("list", self._look)
        await self._call("remove from", partial(self._objects.delete, [place]))
        self._is_proven = True

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _call(self, doing: str, call: Callable[[], Result]) -> Result:
        """One call to S3, in the time that it has and with what storage may raise."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await loop.run_in_executor(self._threads, call)
        except TimeoutError as error:
            slow = too_slow(self._bucket, self._timeout_seconds, has_key=self._has_key)
            raise slow from error
        except (BaseError, OSError) as error:
            raise translated(error, self._bucket, doing) from error

    def _put(self, place: str, data: bytes) -> None:
        says = {_SHA256: hashlib.sha256(data).hexdigest()}
        # Never in parts, several of which would lie about invisibly if one of them failed.
        self._objects.put(place, data, attributes=says, use_multipart=False)

    def _get(self, place: str) -> bytes | None:
        try:
            found = self._objects.get(place)
        except FileNotFoundError as error:
            if is_no_such_object(error):
                return None
            raise
        data = bytes(found.bytes())
        # Objects that came by another way, such as `aws s3 sync`, say nothing of themselves.
        digest = found.attributes.get(_SHA256)
        if digest is not None and digest != hashlib.sha256(data).hexdigest():
            raise PhotosUnavailable(f"{place} of {self._bucket} is not what was stored")
        return data

    def _look(self) -> None:
        next(self._objects.list(_PING, chunk_size=1), None)
