"""A Milvus store whose searches go through an index, as they do on a server that runs for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from storage.errors import VectorsUnavailable
from storage.identity import SpaceId
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_client import MilvusCalls
from storage.vectors.milvus_schema import MilvusIndex
from storage.vectors.port import FaceVector

# Wide enough that a graph of some thousand rows is walked as a whole: what the suite asks for is
# exact, and so is this index then.
_WHOLE_GRAPH = MilvusIndex("HNSW", {"M": 64, "efConstruction": 512}, {"ef": 16_384})
_LOAD_SECONDS = 30.0


class FlushedMilvus(MilvusVectorStore):
    """An HNSW index, with every row in a segment that it covers before anybody searches.

    Lite's server would go through the rows in its memory one by one, and write them out at 128 MB.
    """

    def __init__(self, calls: MilvusCalls) -> None:
        super().__init__(calls, index=_WHOLE_GRAPH, consistency="strong")
        self._one_at_a_time = asyncio.Lock()

    async def add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        async with self._one_at_a_time:
            await super().add(space, faces)
            await self._calls.define(
                lambda client, timeout: client.release_collection(space, timeout=timeout)
            )
            await self._calls.define(lambda client, timeout: client.flush(space, timeout=timeout))
            await self._load(space)

    async def _load(self, space: SpaceId) -> None:
        """Build the index of every segment that has none yet."""
        deadline = time.monotonic() + _LOAD_SECONDS
        while True:
            try:
                return await self._calls.define(
                    lambda client, timeout: client.load_collection(space, timeout=timeout)
                )
            except VectorsUnavailable:
                # Lite merges segments in the background, and writes their indexes in place: a load
                # that meets a half-written one fails.
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.02)
