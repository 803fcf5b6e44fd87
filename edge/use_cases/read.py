"""What the base knows (GET /photos/…, /embed_status/)."""

from __future__ import annotations

from edge.use_cases.model import Listing
from edge.use_cases.resolve import Allowed, resolve_photo
from storage.errors import PhotoNotFound
from storage.identity import PhotoKey
from storage.photos.port import PhotoStore
from storage.records.model import Photo, PhotoFilter
from storage.records.port import RecordStore


class ReadPhotos:
    """Photos, their bytes, and lists of them."""

    def __init__(self, records: RecordStore, photos: PhotoStore) -> None:
        self._records = records
        self._photos = photos

    async def photo(self, photo_id: str, collection_id: str | None, allowed: Allowed) -> Photo:
        """A photo with its faces. Raises Forbidden, AmbiguousPhoto, PhotoNotFound."""
        key = await resolve_photo(self._records, photo_id, collection_id, allowed)
        photo = await self._records.photo(key)
        if photo is None:
            raise PhotoNotFound(photo_id)
        return photo

    async def image(self, photo_id: str, collection_id: str | None, allowed: Allowed) -> bytes:
        """The bytes as they came. Raises as `photo`; PhotoNotFound too if they are lost."""
        photo = await self.photo(photo_id, collection_id, allowed)
        data = await self._photos.get(photo.revision.id)
        if data is None:
            raise PhotoNotFound(photo_id)
        return data

    async def list(self, which: PhotoFilter, after: PhotoKey | None, limit: int) -> Listing:
        """A page of photos in the order of (photo_id, collection_id), and how many there are."""
        page = await self._records.list_photos(which, after=after, limit=limit)
        total = await self._records.count_photos(which)
        return Listing(items=page.items, next_after=page.next_after, total=total)
