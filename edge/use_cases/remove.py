"""Photos out of the base (DELETE /remove/{photo_id}, /remove_all/)."""

from __future__ import annotations

from edge.use_cases.resolve import Allowed, resolve_photo
from edge.use_cases.sweep import Sweep
from storage.errors import PhotoNotFound
from storage.identity import PhotoKey
from storage.records.model import Removed
from storage.records.port import RecordStore


class RemovePhotos:
    """Removal is one transaction of the records: from then on no search shows the photo.

    Bytes and vectors are collected behind it, so it works with their stores away.
    """

    def __init__(self, records: RecordStore, sweep: Sweep) -> None:
        self._records = records
        self._sweep = sweep

    async def one(
        self, photo_id: str, collection_id: str | None, allowed: Allowed
    ) -> tuple[PhotoKey, Removed]:
        """One photo goes. Raises Forbidden, AmbiguousPhoto, PhotoNotFound."""
        photo = await resolve_photo(self._records, photo_id, collection_id, allowed)
        removed = await self._records.remove_photo(photo)
        if not removed.photos:
            raise PhotoNotFound(photo_id)
        self._sweep.soon()
        return photo, removed

    async def all(self, collections: frozenset[str] | None) -> Removed:
        """Every photo of these collections goes; None: every photo."""
        removed = await self._records.remove_all(collections)
        self._sweep.soon()
        return removed
