"""Objects of any bucket, to be read: listed in pages, each read whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError
from obstore.store import S3Store

from storage.errors import PhotosUnavailable, StorageError
from storage.photos.s3_connect import connect, endpoint_name, has_key
from storage.photos.s3_errors import Bucket, code_of, is_no_such_object, too_slow, translated
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from obstore import ObjectMeta

READING_RIGHTS = ("s3:GetObject", "s3:ListBucket")
_PAGE = 1000  # what S3 lists at once
_LONGEST_TRANSFER_SECONDS = 600.0
# A listing repeats each call for less than the time of one; a page may be two calls.
_PAGE_TIMES = 4
_OF_ONE_OBJECT = frozenset({"AccessDenied", "InvalidObjectState"})
_ARCHIVED = "InvalidObjectState"
_UNLISTABLE = re.compile(r'invalid path: .*?"([^"]+)"', re.DOTALL)

Result = TypeVar("Result")


class ObjectUnreadable(StorageError):
    """This object cannot be read as things are. Others may be fine."""


class ObjectGone(ObjectUnreadable):
    """The object was listed and is not there any more."""


class ObjectDenied(ObjectUnreadable):
    """The key may not read this object, or none."""


class KeyUnlistable(StorageError):
    """There is a key that the client cannot take, and with it a whole page of the listing."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as the bucket lists it."""

    key: str
    """Below the prefix."""
    size_bytes: int
    stamp: str
    """Another one whenever the content is another; empty: the bucket does not say."""


@dataclass(frozen=True, slots=True)
class ObjectContent:
    """An object, read to its end."""

    data: bytes
    stamp: str
    """Of just these bytes, as in ListedObject."""


class S3Objects:
    """What lies beneath a prefix.

    Calls are repeated, with growing pauses, for STORAGE_TIMEOUT_SECONDS. They go to threads, as
    those of S3PhotoStore do. Every method may raise PhotosUnavailable (the same call may work in a
    moment) or PhotosRefused (it will not).
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
        self.bucket = bucket
        self._objects = objects
        self._page_seconds = _PAGE_TIMES * timeout_seconds
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="objects")
        self._has_key = has_key

    async def pages(self) -> AsyncIterator[Sequence[ListedObject]]:
        """Every object, page by page, each fetched when it is asked for. Raises KeyUnlistable."""
        listing = self._objects.list(chunk_size=_PAGE)
        while (page := await self._page(partial(next, listing, None))) is not None:
            yield [
                ListedObject(item["path"], item["size"], stamp_of(item))
                for item in page
                if item["path"]  # the prefix itself, which consoles make as a folder
            ]

    async def read(self, key: str, max_bytes: int) -> ObjectContent:
        """The whole object. Raises ObjectUnreadable, also for one that has grown too large."""
        return await self._of_object(partial(self._read, key, max_bytes))

    async def beginning(self, key: str, count: int) -> bytes:
        """Its first bytes, of an object that has as many. Raises ObjectUnreadable."""
        return await self._of_object(
            lambda: bytes(self._objects.get_range(key, start=0, length=count))
        )

    async def close(self) -> None:
        """Release what is held; what is being read is read to its end."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _page(
        self, call: Callable[[], Sequence[ObjectMeta] | None]
    ) -> Sequence[ObjectMeta] | None:
        try:
            async with asyncio.timeout(self._page_seconds):
                return await self._in_thread(call)
        except TimeoutError as error:
            slow = too_slow(self.bucket, self._page_seconds, has_key=self._has_key)
            raise slow from error
        except (BaseError, OSError) as error:
            if found := _UNLISTABLE.search(str(error)):
                # apache/arrow-rs-object-store has no name for such keys (obstore#429).
                raise KeyUnlistable(
                    f"{self.bucket} has the key “{found[1]}”, which cannot be listed: rename it, "
                    "or index the prefixes beside it one by one"
                ) from error
            raise translated(error, self.bucket, "list") from error

    async def _of_object(self, call: Callable[[], Result]) -> Result:
        try:
            return await self._in_thread(call)
        except FileNotFoundError as error:
            if is_no_such_object(error):
                raise ObjectGone("it is not in the bucket any more") from error
            raise translated(error, self.bucket, "read") from error
        except (BaseError, OSError) as error:
            code = code_of(error)
            if code == _ARCHIVED:
                raise ObjectUnreadable("it is archived: restore it first") from error
            if code in _OF_ONE_OBJECT:
                raise ObjectDenied(str(translated(error, self.bucket, "read"))) from error
            raise translated(error, self.bucket, "read") from error

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _read(self, key: str, max_bytes: int) -> ObjectContent:
        found = self._objects.get(key)
        about = found.meta
        if about["size"] > max_bytes:
            raise ObjectUnreadable(f"it has {about['size']} bytes, more than {max_bytes}")
        data = bytes(found.bytes())
        if len(data) != about["size"]:
            raise PhotosUnavailable(f"{key} of {self.bucket} came cut off")
        return ObjectContent(data, stamp_of(about))


def stamp_of(about: ObjectMeta) -> str:
    """What is another one whenever the content is: ETag, size and time of the last write.

    An ETag alone does on Amazon's S3, where it reflects changes of the content and nothing else.
    The other two cost nothing and rest on no promise of an endpoint. Times are in seconds: answers
    to a GET have no finer ones.
    """
    if not about["e_tag"]:
        return ""
    return f"{about['e_tag']}|{about['size']}|{int(about['last_modified'].timestamp())}"


def open_objects(settings: StorageSettings, name: str, prefix: str, *, named_by: str) -> S3Objects:
    """The objects of any bucket beneath a prefix, with the endpoint and the key of the photo store.

    named_by: what a user corrects if there is no such bucket. Reads the certificates of the
    machine: call it in a thread. Raises StoreMisconfigured.
    """
    bucket = Bucket(name, prefix, endpoint_name(settings), named_by=named_by, rights=READING_RIGHTS)
    return S3Objects(
        connect(settings, bucket, longest_transfer_seconds=_LONGEST_TRANSFER_SECONDS),
        bucket,
        timeout_seconds=settings.timeout_seconds,
        connections=settings.photos_connections,
        has_key=has_key(settings),
    )
