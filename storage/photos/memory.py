"""Photo bytes in memory: for tests and demos."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from storage.identity import RevisionId

_PAGE = 1000


class MemoryPhotoStore:
    """A PhotoStore that forgets everything when it goes."""

    def __init__(self) -> None:
        self._bytes: dict[RevisionId, bytes] = {}

    async def put(self, revision: RevisionId, data: bytes) -> None:
        self._bytes[revision] = bytes(data)

    async def get(self, revision: RevisionId) -> bytes | None:
        return self._bytes.get(revision)

    async def remove(self, revisions: Sequence[RevisionId]) -> None:
        for revision in revisions:
            self._bytes.pop(revision, None)

    async def scan(self) -> AsyncIterator[Sequence[RevisionId]]:
        kept = list(self._bytes)
        for start in range(0, len(kept), _PAGE):
            yield kept[start : start + _PAGE]

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        return
