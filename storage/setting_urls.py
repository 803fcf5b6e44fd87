"""Which URLs name a store. Each function returns the URL, or raises ValueError with what to use."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

MEMORY_URL = "memory://"
# Names that every S3 takes as they are; no empty part, which the keys of objects may not have.
_S3_PART = r"/(?!\.{1,2}(?:/|$))[\w!.*'()-]+"
_S3_URL = re.compile(rf"s3://[A-Za-z0-9][A-Za-z0-9._-]{{2,62}}(?:{_S3_PART})*/?", re.ASCII)


def vectors_url(url: str) -> str:
    """Of a Milvus server."""
    parts = _split(url)
    if url in {"", MEMORY_URL} or (parts.scheme in {"http", "https"} and parts.hostname):
        return url
    raise ValueError("use http://host:port, https://host:port, memory:// or nothing")


def records_url(url: str) -> str:
    """Of a database."""
    if url in {"", MEMORY_URL} or is_postgresql(url) or _database(url) == "sqlite":
        return url
    raise ValueError("use postgresql://user:password@host/database, memory:// or nothing")


def is_postgresql(url: str) -> bool:
    """Whether the database is a PostgreSQL server."""
    return _database(url) in {"postgresql", "postgres"}


def photos_url(url: str) -> str:
    """Of a folder or a bucket."""
    parts = _split(url)
    if url in {"", MEMORY_URL}:
        return url
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and len(parts.path) > 1:
        return url
    if _S3_URL.fullmatch(url):
        return url
    raise ValueError("use s3://bucket/prefix, file:///folder, memory:// or nothing")


def endpoint(url: str) -> str:
    """Of an S3, without a slash at its end."""
    parts = _split(url)
    is_bare = parts.path in {"", "/"} and not parts.query and "@" not in parts.netloc
    if not url or (parts.scheme in {"http", "https"} and parts.hostname and is_bare):
        return url.rstrip("/")
    raise ValueError("use https://host, http://host:port or nothing")


def _database(url: str) -> str:
    """Such as postgresql, without the driver that may follow it."""
    return _split(url).scheme.partition("+")[0]


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it is the check
    except ValueError as error:
        raise ValueError(f"that is no URL: {error}") from error
    return parts
