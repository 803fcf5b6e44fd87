"""From the arguments of the command to the place where photos are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cli.errors import UsageError
from cli.indexing.bucket import BucketPhotos
from cli.indexing.digests import Digests, digests_file
from cli.indexing.folders import FolderPhotos
from cli.indexing.source import PhotoSource
from storage.photos.s3_objects import open_objects
from storage.settings import PREFIX, load_settings

SCHEME = "s3://"
_OF_S3 = ("ENDPOINT", "REGION", "ACCESS_KEY", "SECRET_KEY", "PATH_STYLE")


@asynccontextmanager
async def open_source(
    places: Sequence[str], *, is_reread: bool = False
) -> AsyncIterator[PhotoSource]:
    """Folders and photos of this machine, or one prefix of a bucket.

    is_reread: read every object again, also where its stamp says that it is as it was. Raises
    UsageError, StoreMisconfigured.
    """
    if not any(place.startswith(SCHEME) for place in places):
        yield FolderPhotos([Path(place) for place in places])
        return
    if len(places) > 1:
        raise UsageError(
            "a bucket is indexed alone: photos of one name could not be told in time",
            "run the command once for each place",
        )
    bucket, prefix = _parsed(places[0])
    # The settings check the bucket's name; a prefix may be anything that keys begin with.
    settings = load_settings(photos_url=SCHEME + bucket)
    leave_to_source(os.environ)
    objects = await asyncio.to_thread(open_objects, settings, bucket, prefix, named_by="the URL")
    path = digests_file(objects.bucket.endpoint, bucket)
    digests = None if path is None else Digests(path, prefix)
    try:
        yield BucketPhotos(objects, digests, is_reread=is_reread)
    finally:
        if digests is not None:
            digests.close()
        await objects.close()


def leave_to_source(environment: MutableMapping[str, str]) -> None:
    """Take the variables away that are for the bucket alone.

    A base whose own photos are in no bucket refuses them, and so would the service that is started
    on it.
    """
    urls = [value for name, value in environment.items() if name.upper() == f"{PREFIX}PHOTOS_URL"]
    if any(url.startswith(SCHEME) for url in urls):
        return  # then they are for both
    idle = {f"{PREFIX}PHOTOS_{name}" for name in _OF_S3}
    for name in [name for name in environment if name.upper() in idle]:
        del environment[name]


def _parsed(url: str) -> tuple[str, str]:
    """Bucket and prefix, taken as they are: in these URLs nothing is percent-encoded."""
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    prefix = prefix.removesuffix("/")
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        raise UsageError(
            f"{url} has an empty part, or one that is . or .., which keys cannot be listed below",
            "give a prefix such as s3://bucket/photos/2024",
        )
    return bucket, prefix
