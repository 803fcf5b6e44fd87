"""A Milvus server as the settings describe it.

Importing this imports pymilvus, and nothing of Milvus Lite: its engine would take 50 MB that nobody
uses. See `storage.open`.
"""

from __future__ import annotations

from storage.settings import StorageSettings
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_schema import MilvusIndex
from storage.vectors.milvus_server import MilvusServer


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
