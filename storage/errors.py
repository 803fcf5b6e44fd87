"""What can go wrong in a store, in the caller's terms.

StorageError
├── StoreUnavailable          away, restarting, too slow: the same call may work in a moment
│   ├── VectorsUnavailable
│   ├── RecordsUnavailable
│   └── PhotosUnavailable
├── StorageFull               no room for what was to be written; nothing half-written stays
├── EmbeddingSpaceMismatch    vectors of another model are in the way
├── SpaceInUse                a space that is searched, or another one that is being filled
├── CollectionNeeded          a base that is searched by collection, and none was named
├── StoreMisconfigured        a URL or a folder that cannot work; stops the start with one line
│   └── StoreLocked           the folder is open in another process
└── (outcomes of records)
    ├── RevisionGone          removed or overtaken while it was being written
    ├── AlreadyExists         the photo is there and must not be replaced
    ├── PhotoNotFound
    └── FaceNotFound
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of everything a store raises. `str(error)` is safe to log, not to answer with."""


class StoreUnavailable(StorageError):
    """The store is away, restarting or too slow; the same call may work in a moment."""


class VectorsUnavailable(StoreUnavailable):
    """The vector store is away."""


class RecordsUnavailable(StoreUnavailable):
    """The records database is away."""


class PhotosUnavailable(StoreUnavailable):
    """The photo store is away."""


class StorageFull(StorageError):
    """There is no room for what was to be written. Nothing half-written stays."""


class EmbeddingSpaceMismatch(StorageError):
    """Vectors of another embedding space are in the way."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(f"the base holds vectors of space {found}, not of {wanted}")
        self.found = found
        self.wanted = wanted


class SpaceInUse(StorageError):
    """The space is searched, or another one is being filled. The message says which."""


class CollectionNeeded(StorageError):
    """Each collection of this base is indexed by itself, so a search has to name some."""


class StoreMisconfigured(StorageError):
    """A URL or a folder that cannot work. The message is one line that says what to do."""


class StoreLocked(StoreMisconfigured):
    """The folder is open in another process."""


class RevisionGone(StorageError):
    """The revision was removed or overtaken while it was being written."""


class AlreadyExists(StorageError):
    """The photo is there and must not be replaced."""


class PhotoNotFound(StorageError):
    """No such photo."""


class FaceNotFound(StorageError):
    """No such face."""
