"""What went wrong in Milvus, in the words of storage/errors.py."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storage.errors import StorageError, StorageFull, VectorsUnavailable

COLLECTION_NOT_FOUND = frozenset({4, 100})
NOT_LOADED = frozenset({101})

# Milvus' own codes: disk limit exceeded, quota exceeded.
_FULL_CODES = frozenset({7, 9})
# Lite hands on what Python says; 27 is EFBIG, 28 ENOSPC, 122 EDQUOT.
_FULL_WORDS = re.compile(r"\[errno (27|28|122)\]|no space left|file too large", re.IGNORECASE)
# By the words, since pymilvus gives most of these no code of their own.
_REFUSALS = tuple(
    (re.compile(words, re.IGNORECASE), meaning)
    for words, meaning in (
        (
            r"unauthenticated|auth check failure|missing authorization",
            "the Milvus server refuses the token: correct STORAGE_VECTORS_TOKEN",
        ),
        (
            r"permission.?den",
            "the user of STORAGE_VECTORS_TOKEN may not do this on the Milvus server: grant it more",
        ),
        (
            r"database not found\[|database '.*' does not exist",
            "the Milvus server has no such database: make it, or correct STORAGE_VECTORS_DATABASE",
        ),
        (
            r"certificate_verify_failed",
            "the Milvus server's certificate is not trusted: set STORAGE_VECTORS_TLS_CA to its CA",
        ),
        (
            r"can't change the replica number|different replica number",
            "the space is loaded with other than STORAGE_VECTORS_REPLICAS: see docs/milvus.md",
        ),
    )
)
_MAX_MESSAGE = 200


class VectorsRefused(VectorsUnavailable):
    """The server answered and said no. It will go on saying so until somebody changes something."""


def code_of(error: Exception) -> int | None:
    """Milvus' code of an error; None for one that is not from Milvus itself."""
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def translate(error: Exception, writing: bool) -> StorageError:
    """A MilvusException, or the grpc.RpcError that pymilvus lets through, as one of ours.

    Whatever is not known to be something else is VectorsUnavailable: the store did not do what it
    was asked to, and the same call may work later.
    """
    said = list(_said(error))
    text = _shortened(said[0])
    if writing and (code_of(error) in _FULL_CODES or any(map(_FULL_WORDS.search, said))):
        return StorageFull(f"the vector store has no room: {text}")
    for words, meaning in _REFUSALS:
        for each in filter(words.search, said):
            return VectorsRefused(f"{meaning} ({_shortened(each)})")
    return VectorsUnavailable(f"the vector store failed: {text}")


def _said(error: BaseException) -> Iterator[str]:
    """What the error says, then what caused it says.

    pymilvus makes "illegal connection params or server unavailable" of every refusal to connect;
    the server's own words are in the cause.
    """
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield _words_of(at) or type(at).__name__
        at = at.__cause__


def _words_of(error: BaseException) -> str:
    message = getattr(error, "message", None)
    if isinstance(message, str):
        return message
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if callable(code) and callable(details):  # gRPC's own
        return f"{code()}: {details()}"
    return str(error)


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_MAX_MESSAGE]
