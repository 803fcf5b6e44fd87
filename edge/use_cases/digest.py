"""The digest that tells one photo's bytes from another's."""

from __future__ import annotations

import asyncio
import hashlib

# Below this a thread costs more than the hashing (0.2 ms at 256 KiB).
_INLINE_BYTES = 256 * 1024


async def sha256_of(data: bytes) -> str:
    """SHA-256 as 64 hex digits; large data is hashed beside the event loop."""
    if len(data) <= _INLINE_BYTES:
        return hashlib.sha256(data).hexdigest()
    digest = await asyncio.to_thread(hashlib.sha256, data)
    return digest.hexdigest()
