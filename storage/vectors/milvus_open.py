"""Milvus as the settings describe it. Importing this imports pymilvus: see `storage.open`."""

from __future__ import annotations

from pathlib import Path

from storage.settings import StorageSettings
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_lite import MilvusLite
from storage.vectors.milvus_schema import MilvusIndex
from storage.vectors.milvus_server import MilvusServer


async def open_lite(folder: Path) -> MilvusVectorStore:
    """The store in a Lite folder (its name ends in .db). Raises what `MilvusLite.open` does."""
    return MilvusVectorStore(await MilvusLite.open(folder))


def open_server(settings: StorageSettings) -> MilvusVectorStore:
    """The store on the server that the settings name; it connects at the first call."""
    server = MilvusServer(
        settings.vectors_url,
        token=settings.vectors_token.get_secret_value(),
        timeout_seconds=settings.timeout_seconds,
    )
    index = MilvusIndex(
        settings.vectors_index, settings.vectors_index_params, settings.vectors_search_params
    )
    return MilvusVectorStore(server, index=index, consistency=settings.vectors_consistency)
