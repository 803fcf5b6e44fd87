"""A revision while it is being written: made durable, and given up if anything goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from edge.use_cases.sweep import Sweep
from storage.errors import StorageError
from storage.identity import PhotoKey, RevisionId
from storage.photos.port import PhotoStore
from storage.records.model import Revision
from storage.records.port import RecordStore

_log = structlog.get_logger(__name__)

# The caller waits for it; what is not discarded by then is left to the sweep.
_DISCARD_SECONDS = 2.0


class PendingRevisions:
    """Opens revisions; those whose block does not end well are discarded."""

    def __init__(
        self, records: RecordStore, photos: PhotoStore, sweep: Sweep | None = None
    ) -> None:
        self._records = records
        self._photos = photos
        self._sweep = sweep
        self._discards: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def writing(self, photo: PhotoKey, sha256: str, image: bytes) -> AsyncIterator[Revision]:
        """A pending revision whose bytes are durable. The block commits it.

        If the block raises or is cancelled, the revision becomes garbage (unless its commit went
        through).
        """
        revision = await self._records.begin(photo, sha256, len(image))
        try:
            await self._photos.put(revision.id, image)
            yield revision
        except BaseException:
            await self._give_up(revision.id)
            raise

    async def _give_up(self, revision: RevisionId) -> None:
        # In a task of its own: a caller that is cancelled twice must not leave it half-way.
        task = asyncio.create_task(self._discard(revision))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)
        await asyncio.shield(task)

    async def _discard(self, revision: RevisionId) -> None:
        is_discarded = False
        try:
            async with asyncio.timeout(_DISCARD_SECONDS):
                await self._records.discard(revision)
            is_discarded = True
        except (StorageError, TimeoutError) as error:
            _log.warning("discard_failed", revision=revision, error=repr(error))
        finally:
            if self._sweep is not None:
                self._sweep.abandoned(revision, is_discarded=is_discarded)
