"""Who calls, and what they may do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.errors import Forbidden
from storage.identity import NO_COLLECTION
from storage.records.model import ApiKey
from storage.records.port import RecordStore


class Scope(StrEnum):
    """What a key may be for."""

    SEARCH = "search"  # /search/, /detect_faces/ with keep=false, reading
    ENROL = "enrol"  # everything that writes one photo
    ADMIN = "admin"  # /remove_all/, keys


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request carries. The key itself is nowhere in here."""

    name: str
    scopes: frozenset[str]
    collections: frozenset[str] | None
    """None: every collection."""

    def require(self, scope: Scope) -> None:
        """Raise Forbidden without the scope."""
        if scope not in self.scopes:
            raise Forbidden(
                f"the key “{self.name}” lacks the scope “{scope}”; "
                f"use a key that has it (facesearch keys create NAME --scopes {scope})"
            )

    def require_collection(self, collection_id: str | None) -> None:
        """Raise Forbidden if a write may not go there; None and "" are no collection."""
        if self.collections is None or (collection_id or NO_COLLECTION) in self.collections:
            return
        if not collection_id:
            raise Forbidden(
                f"the key “{self.name}” is for certain collections; name one with collection_id"
            )
        raise Forbidden(f"the key “{self.name}” is not for the collection “{collection_id}”")

    def within(self, named: frozenset[str] | None) -> frozenset[str] | None:
        """Where to search or list: what was named, or else all that the key is for."""
        if self.collections is None:
            return named
        if named is None:
            return self.collections
        for collection_id in sorted(named):
            self.require_collection(collection_id)
        return named


def digest_of(key: bytes) -> str:
    """What is kept of a key: its SHA-256 in hex digits."""
    return hashlib.sha256(key).hexdigest()


class KeyRing:
    """The key of the environment, and those in the records, looked up again every few seconds."""

    def __init__(
        self, api_key: str | None, records: RecordStore, *, cache_seconds: float = 5.0
    ) -> None:
        self._main = None if api_key is None else digest_of(api_key.encode())
        self._records = records
        self._cache_seconds = cache_seconds
        self._stored: Sequence[ApiKey] = ()
        self._fresh_until = float("-inf")
        self._refreshing = asyncio.Lock()

    async def is_empty(self) -> bool:
        """Whether nobody could ever get in."""
        return self._main is None and not await self._keys()

    async def caller(self, key: bytes) -> Caller | None:
        """Whose key this is; None: nobody's. Raises RecordsUnavailable."""
        digest = digest_of(key)
        if self._main is not None and hmac.compare_digest(digest, self._main):
            return Caller("API_KEY", frozenset(Scope), None)
        found = None
        for stored in await self._keys():  # all of them: the time says nothing about which
            if hmac.compare_digest(digest, stored.sha256):
                found = Caller(stored.name, stored.scopes, stored.collections)
        return found

    async def _keys(self) -> Sequence[ApiKey]:
        if time.monotonic() >= self._fresh_until:
            async with self._refreshing:  # one query, however many callers wait for it
                if time.monotonic() >= self._fresh_until:
                    rows = await self._records.keys()
                    self._stored = tuple(row for row in rows if row.revoked_at is None)
                    self._fresh_until = time.monotonic() + self._cache_seconds
        return self._stored
