"""Which photo a request means, and whether its key may touch it."""

from __future__ import annotations

from edge.errors import AmbiguousPhoto, Forbidden
from storage.errors import PhotoNotFound
from storage.identity import PhotoKey
from storage.records.port import RecordStore

# The collections a key may touch; None: all of them.
Allowed = frozenset[str] | None


def ensure_allowed(collection_id: str, allowed: Allowed) -> None:
    """Raise Forbidden unless the key may touch this collection."""
    if allowed is not None and collection_id not in allowed:
        raise Forbidden(
            "this key is for other collections; name one of its own, or use another key"
        )


async def resolve_photo(
    records: RecordStore, photo_id: str, collection_id: str | None, allowed: Allowed
) -> PhotoKey:
    """The photo of that id in the named collection, or the only one of that id.

    With no collection named, a key with collections sees its own only. Raises Forbidden,
    AmbiguousPhoto, PhotoNotFound. A photo in a named collection is not looked up.
    """
    if collection_id is not None:
        ensure_allowed(collection_id, allowed)
        return PhotoKey(collection_id, photo_id)
    keys = [
        key
        for key in await records.keys_of(photo_id)
        if allowed is None or key.collection_id in allowed
    ]
    match keys:
        case []:
            raise PhotoNotFound(photo_id)
        case [only]:
            return only
        case _:
            raise AmbiguousPhoto(photo_id, [key.collection_id for key in keys])
