"""From settings to a client of one bucket."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from storage.errors import StoreMisconfigured
from storage.photos.s3_errors import Bucket, one_line
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


def endpoint_name(settings: StorageSettings) -> str:
    """What messages call the S3 that the settings and the environment name."""
    return _endpoint(settings) or _AMAZON


def has_key(settings: StorageSettings) -> bool:
    """Whether a key is set; otherwise it is looked for outside, such as the role of the machine."""
    return _has_own_key(settings) or "AWS_ACCESS_KEY_ID" in os.environ


def connect(
    settings: StorageSettings, bucket: Bucket, *, longest_transfer_seconds: float | None = None
) -> S3Store:
    """A client of the objects beneath the bucket's prefix; no call is made yet.

    Reads the certificates of the machine, which takes a moment. longest_transfer_seconds: how long
    one object may take as long as bytes come; None: no longer than any other call. Raises
    StoreMisconfigured for a variable AWS_… that makes no sense.
    """
    endpoint = _endpoint(settings)
    try:
        return S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=_config(settings, endpoint, bucket.name),
            client_options=_client(settings, endpoint, longest_transfer_seconds),
            retry_config=_retries(settings.timeout_seconds),
            # Not by its config, which a session token of the environment would be added to.
            credential_provider=_key(settings) if _has_own_key(settings) else None,
        )
    except BaseError as error:
        raise StoreMisconfigured(f"photos in {bucket}: {one_line(error)}") from error


def _has_own_key(settings: StorageSettings) -> bool:
    return bool(settings.photos_access_key.get_secret_value())


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


def _client(
    settings: StorageSettings, endpoint: str, longest_transfer_seconds: float | None
) -> ClientConfig:
    seconds = settings.timeout_seconds
    config: ClientConfig = {
        "allow_http": endpoint.startswith("http://"),
        "timeout": timedelta(seconds=longest_transfer_seconds or seconds),
        "connect_timeout": timedelta(seconds=seconds * _CONNECT_SHARE),
        "pool_max_idle_per_host": str(settings.photos_connections),
    }
    if longest_transfer_seconds is not None:
        config["read_timeout"] = timedelta(seconds=seconds)
    return config


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
