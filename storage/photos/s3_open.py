"""From settings to photos in a bucket."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import structlog

from storage.errors import PhotosUnavailable, StoreMisconfigured
from storage.photos.s3 import S3PhotoStore
from storage.photos.s3_connect import connect, endpoint_name, has_key
from storage.photos.s3_errors import Bucket, PhotosRefused
from storage.settings import StorageSettings

_log = structlog.get_logger(__name__)


async def open_s3(settings: StorageSettings) -> S3PhotoStore:
    """The bucket that the settings name.

    Raises StoreMisconfigured if it answers that the bucket, the key or a right is missing. One
    that does not answer is left for later: the ping says when it does.
    """
    store = await asyncio.to_thread(_store, settings)
    try:
        await store.prove()
    except PhotosRefused as error:
        await store.close()
        raise StoreMisconfigured(str(error)) from error
    except PhotosUnavailable as error:
        _log.warning("photos_unavailable", reason=str(error))
    return store


def _store(settings: StorageSettings) -> S3PhotoStore:
    url = urlsplit(settings.photos_url)
    bucket = Bucket(url.netloc, url.path.strip("/"), endpoint_name(settings))
    return S3PhotoStore(
        connect(settings, bucket),
        bucket,
        timeout_seconds=settings.timeout_seconds,
        connections=settings.photos_connections,
        has_key=has_key(settings),
    )
