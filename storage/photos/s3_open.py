"""From settings to photos in a bucket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from storage.errors import PhotosUnavailable, StoreMisconfigured
from storage.photos.s3 import S3PhotoStore
from storage.photos.s3_errors import Bucket, PhotosRefused, one_line
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

# An unreachable address must not take all the time that repeating has.
_CONNECT_SHARE = 0.4
# No new attempt after so much of the time: it would be cut off, and the reason lost.
_RETRY_SHARE = 0.8
_MOST_RETRIES = 10
_FIRST_PAUSE = timedelta(milliseconds=100)
_LONGEST_PAUSE = timedelta(seconds=2)
_AMAZON = "Amazon S3"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

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
    # Reads the certificates of the machine, which takes a moment.
    url = urlsplit(settings.photos_url)
    endpoint = _endpoint(settings)
    bucket = Bucket(url.netloc, url.path.strip("/"), endpoint or _AMAZON)
    has_key = bool(settings.photos_access_key.get_secret_value())
    try:
        objects = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=_config(settings, endpoint, bucket.name),
            client_options=_client(settings, endpoint),
            retry_config=_retries(settings.timeout_seconds),
            # Not by its config, which a session token of the environment would be added to.
            credential_provider=_key(settings) if has_key else None,
        )
    except BaseError as error:  # a variable AWS_… that makes no sense
        raise StoreMisconfigured(f"photos in {bucket}: {one_line(error)}") from error
    return S3PhotoStore(
        objects,
        bucket,
        timeout_seconds=settings.timeout_seconds,
        connections=settings.photos_connections,
        has_key=has_key or "AWS_ACCESS_KEY_ID" in os.environ,
    )


def _endpoint(settings: StorageSettings) -> str:
    told = (os.environ.get(name, "") for name in _ENDPOINTS)
    return settings.photos_endpoint or next(filter(None, told), "")


def _config(settings: StorageSettings, endpoint: str, bucket: str) -> S3Config:
    config: S3Config = {"virtual_hosted_style_request": not settings.photos_path_style}
    if endpoint:
        if not settings.photos_path_style:
            parts = urlsplit(endpoint)
            endpoint = urlunsplit(parts._replace(netloc=f"{bucket}.{parts.netloc}"))
        # The one of its two options that no variable of the environment goes over.
        config["aws_endpoint_url_s3"] = endpoint
    if settings.photos_region:
        config["region"] = settings.photos_region
    return config


def _client(settings: StorageSettings, endpoint: str) -> ClientConfig:
    return {
        "allow_http": endpoint.startswith("http://"),
        "timeout": timedelta(seconds=settings.timeout_seconds),
        "connect_timeout": timedelta(seconds=settings.timeout_seconds * _CONNECT_SHARE),
        "pool_max_idle_per_host": str(settings.photos_connections),
    }


def _retries(timeout_seconds: float) -> RetryConfig:
    return {
        "max_retries": _MOST_RETRIES,
        "retry_timeout": timedelta(seconds=timeout_seconds * _RETRY_SHARE),
        "backoff": {"init_backoff": _FIRST_PAUSE, "max_backoff": _LONGEST_PAUSE, "base": 2},
    }


def _key(settings: StorageSettings) -> Callable[[], S3Credential]:
    def key() -> S3Credential:
        return {
            "access_key_id": settings.photos_access_key.get_secret_value(),
            "secret_access_key": settings.photos_secret_key.get_secret_value(),
            "expires_at": None,
        }

    return key
