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
        self,
        api_key: str | None,
        records: RecordStore,
        *,
        cache_seconds: float = 5.0,
        new_key_seconds: float = 1.0,
    ) -> None:
        """A revoked key is taken for up to `cache_seconds`; a new one after `new_key_seconds`.

        The second bounds what callers without a key can cost the records.
        """
        self._main = None if api_key is None else digest_of(api_key.encode())
        self._records = records
        self._cache_seconds = cache_seconds
        self._stored: Sequence[ApiKey] = ()
        self._new_key_seconds = new_key_seconds
        self._read_at = float("-inf")
        self._refreshing = asyncio.Lock()

    async def is_empty(self) -> bool:
        """Whether nobody could ever get in."""
        return self._main is None and not await self._keys(self._cache_seconds)

    async def caller(self, key: bytes) -> Caller | None:
        """Whose key this is; None: nobody's. Raises RecordsUnavailable."""
        digest = digest_of(key)
        if self._main is not None and hmac.compare_digest(digest, self._main):
            return Caller("API_KEY", frozenset(Scope), None)
        found = _owner(digest, await self._keys(self._cache_seconds))
        # Perhaps it was made a moment ago.
        return found or _owner(digest, await self._keys(self._new_key_seconds))

    async def _keys(self, max_age_seconds: float) -> Sequence[ApiKey]:
        if self._age_seconds() >= max_age_seconds:
            async with self._refreshing:  # one query, however many callers wait for it
                if self._age_seconds() >= max_age_seconds:
                    rows = await self._records.keys()
                    self._stored = tuple(row for row in rows if row.revoked_at is None)
                    self._read_at = time.monotonic()
        return self._stored

    def _age_seconds(self) -> float:
        return time.monotonic() - self._read_at


def _owner(digest: str, stored: Sequence[ApiKey]) -> Caller | None:
    found = None
    for key in stored:  # all of them: the time says nothing about which
        if hmac.compare_digest(digest, key.sha256):
            found = Caller(key.name, key.scopes, key.collections)
    return found
