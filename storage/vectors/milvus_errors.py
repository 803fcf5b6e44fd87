"""What went wrong in Milvus, in the words of storage/errors.py."""

from __future__ import annotations

import re

from storage.errors import StorageError, StorageFull, StoreMisconfigured, VectorsUnavailable

COLLECTION_NOT_FOUND = frozenset({4, 100})
NOT_LOADED = frozenset({101})

# Milvus' own codes: disk limit exceeded, quota exceeded.
_FULL_CODES = frozenset({7, 9})
# Lite hands on what Python says; 27 is EFBIG, 28 ENOSPC, 122 EDQUOT.
_FULL_WORDS = re.compile(r"\[errno (27|28|122)\]|no space left|file too large", re.IGNORECASE)
_REFUSED_WORDS = re.compile(r"unauthenticated|auth check failure|permission.?denied", re.IGNORECASE)
_MAX_MESSAGE = 200


def code_of(error: Exception) -> int | None:
    """Milvus' code of an error; None for one that is not from Milvus itself."""
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def translate(error: Exception, writing: bool) -> StorageError:
    """A MilvusException, or the grpc.RpcError that pymilvus lets through, as one of ours.

    Whatever is not known to be something else is VectorsUnavailable: the store did not do what it
    was asked to, and the same call may work later.
    """
    text = _one_line(error)
    if writing and (code_of(error) in _FULL_CODES or _FULL_WORDS.search(text)):
        return StorageFull(f"the vector store has no room: {text}")
    if _REFUSED_WORDS.search(text):
        return StoreMisconfigured(
            f"the vector store refuses the token (STORAGE_VECTORS_TOKEN): {text}"
        )
    return VectorsUnavailable(f"the vector store failed: {text}")


def _one_line(error: Exception) -> str:
    message = getattr(error, "message", None)
    details = getattr(error, "details", None)
    if not isinstance(message, str):
        message = str(details()) if callable(details) else str(error)
    return " ".join(message.split())[:_MAX_MESSAGE] or type(error).__name__
