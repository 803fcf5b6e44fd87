"""What a photo store does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from storage.identity import RevisionId


class PhotoStore(Protocol):
    """Bytes by revision, written once and never changed.

    Every method may raise PhotosUnavailable; `put` may raise StorageFull.
    """

    async def put(self, revision: RevisionId, data: bytes) -> None:
        """Store the bytes; durable on return. All of them or nothing, also when cancelled."""
        ...

    async def get(self, revision: RevisionId) -> bytes | None:
        """The bytes, or None if there are none."""
        ...

    async def remove(self, revisions: Sequence[RevisionId]) -> None:
        """Remove the bytes of these revisions. Unknown ones are fine."""
        ...

    def scan(self) -> AsyncIterator[Sequence[RevisionId]]:
        """Every revision that has bytes, in pages, in no order."""
        ...

    async def ping(self) -> None:
        """Return if the store can be written to."""
        ...

    async def close(self) -> None:
        """Release what is held. Safe to call twice."""
        ...
