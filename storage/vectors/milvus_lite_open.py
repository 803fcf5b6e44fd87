"""Milvus Lite as a store. Importing this imports pymilvus and Lite's engine: see `storage.open`."""

from __future__ import annotations

from pathlib import Path

from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_lite import MilvusLite


async def open_lite(folder: Path) -> MilvusVectorStore:
    """The store in a Lite folder (its name ends in .db). Raises what `MilvusLite.open` does."""
    return MilvusVectorStore(await MilvusLite.open(folder))
