"""Vectors in Milvus: Lite in a folder, or a server or cluster by URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import chain, islice
from typing import Literal, TypeVar

from pymilvus import MilvusClient

from storage.errors import CollectionNeeded, StoreMisconfigured, VectorsUnavailable
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.vectors import filters, milvus_schema
from storage.vectors.milvus_client import FAILURES, MilvusCalls
from storage.vectors.milvus_errors import COLLECTION_NOT_FOUND, NOT_LOADED, code_of
from storage.vectors.milvus_rows import Row, face_of, hit_of, key_of, row_of
from storage.vectors.milvus_schema import KEY_FIELDS, VECTOR_FIELD, MilvusIndex, MilvusSpace
from storage.vectors.port import (
    MAX_LIMIT,
    Collections,
    Embedding,
    FaceKey,
    FaceVector,
    Hit,
)
from storage.vectors.ranking import most_similar_first
from storage.vectors.validation import (
    check_dim,
    check_faces,
    check_probe,
    check_search,
    check_space,
    is_storable_id,
    is_storable_name,
)

T = TypeVar("T")

# Rows a message: 500 vectors of 512 are 1 MB, and Lite holds its thread for 0.1 s.
_ADD_ROWS = 500
_FETCH_ROWS = 1_000
# Lite reads the whole collection for every page of keys.
_SCAN_ROWS = 10_000
_REVISIONS = 500
# How many rows more than wanted are asked for, to see whether the last ones are tied with others.
_TIE_ROWS = 16


class MilvusVectorStore:
    """A VectorStore in Milvus: one collection per space.

    Scores are Milvus' own, in float32. With the FLAT index the answer is exact; where rows tied at
    the last place do not fit into MAX_LIMIT rows, Milvus chooses among them. With another index it
    is complete up to the recall of that index.

    A space that was made with partition key isolation can only be searched by collection: a search
    that names none raises CollectionNeeded.
    """

    def __init__(
        self,
        calls: MilvusCalls,
        *,
        index: MilvusIndex | None = None,
        consistency: Literal["bounded", "strong"] = "bounded",
        replicas: int = 0,
        isolated: bool = False,
    ) -> None:
        """`consistency` is that of searches; what is read to be compared is read strongly.

        `index` and `isolated` count when a space is made, `replicas` when it is loaded.
        """
        self._calls = calls
        self._index = index or MilvusIndex()
        self._consistency = consistency.capitalize()
        self._replicas = replicas
        self._isolated = isolated
        self._known: dict[SpaceId, MilvusSpace] = {}

    async def open_space(self, space: SpaceId, dim: int) -> None:
        check_space(space)
        check_dim(dim)

        def ready(client: MilvusClient, timeout: float) -> MilvusSpace:
            if not client.has_collection(space, timeout=timeout):
                milvus_schema.create(client, space, dim, timeout, isolated=self._isolated)
            found = milvus_schema.read(client, space, timeout)
            # Lite searches without an index as fast, at half the space on disk; and the files of
            # its indexes are what breaks when it is killed.
            if not self._calls.is_embedded:
                milvus_schema.index(client, space, self._index, timeout)
            milvus_schema.load(client, space, self._replicas, timeout)
            return found

        found = await self._calls.define(ready)
        self._known[space] = found
        if found.dim != dim:
            msg = f"space {space} holds vectors of dim {found.dim}, not {dim}"
            raise StoreMisconfigured(msg)

    async def spaces(self) -> Sequence[SpaceId]:
        names = await self._calls.read(
            lambda client, timeout: list(client.list_collections(timeout=timeout))
        )
        found = []
        for space in sorted(SpaceId(name) for name in names):
            try:
                if await self._space(space) is not None:
                    found.append(space)
            except StoreMisconfigured:  # somebody else's collection: none of our business
                continue
        return found

    async def drop_space(self, space: SpaceId) -> None:
        if await self._space(space) is None:
            return
        await self._calls.define(
            lambda client, timeout: client.drop_collection(space, timeout=timeout)
        )
        self._known.pop(space, None)

    async def add(self, space: SpaceId, faces: Sequence[FaceVector]) -> None:
        found = await self._space(space)
        if found is None:
            msg = f"space {space} is not open"
            raise ValueError(msg)
        matrix = check_faces(faces, found.dim)
        # By id: the last one of an id wins, whatever Milvus makes of two in one message.
        rows = {
            face.face_id: row_of(face, embedding)
            for face, embedding in zip(faces, matrix, strict=True)
        }
        left = iter(rows.values())
        while batch := list(islice(left, _ADD_ROWS)):
            await self._add(space, batch)

    async def search(
        self,
        space: SpaceId,
        probe: Embedding,
        *,
        within: Collections,
        limit: int,
        minimum_score: float,
        excluding: Sequence[PhotoKey] = (),
    ) -> Sequence[Hit]:
        check_search(limit, minimum_score)
        found = await self._space(space)
        if found is None:
            return []
        vector = check_probe(probe, found.dim)
        if filters.is_nowhere(within):
            return []
        if not found.is_isolated:
            return await self._best(
                space, vector, filters.eligible(within, excluding), limit, minimum_score
            )
        if within is None:
            msg = f"space {space} was made with partition key isolation: name its collections"
            raise CollectionNeeded(msg)
        # One search each: Milvus takes a single collection where each has its own index.
        found_in_each = await asyncio.gather(
            *(
                self._best(
                    space, vector, filters.of_collection(name, excluding), limit, minimum_score
                )
                for name in filter(is_storable_name, within)
            )
        )
        return sorted(chain.from_iterable(found_in_each), key=most_similar_first)[:limit]

    async def remove_revisions(self, revisions: Sequence[RevisionId]) -> None:
        storable = sorted({each for each in revisions if is_storable_id(each)})
        if not storable:
            return
        for space in await self.spaces():
            for start in range(0, len(storable), _REVISIONS):
                await self._remove(
                    space, filters.of_revisions(storable[start : start + _REVISIONS])
                )

    async def scan(self, space: SpaceId) -> AsyncIterator[Sequence[FaceKey]]:
        last = ""
        while await self._space(space) is not None:
            # `iterator` asks for the rows in the order of their keys, as pymilvus' own does; its
            # iterator writes the last key into the filter unescaped.
            rows = await self._query(
                space, filters.after_face(last), KEY_FIELDS, limit=_SCAN_ROWS, iterator="True"
            )
            if rows:
                yield [key_of(row) for row in rows]
                last = str(rows[-1]["face_id"])
            if len(rows) < _SCAN_ROWS:
                return

    async def fetch(self, space: SpaceId, faces: Sequence[FaceId]) -> Sequence[FaceVector]:
        if await self._space(space) is None:
            return []
        wanted = sorted({face for face in faces if is_storable_id(face)})
        found: list[FaceVector] = []
        for start in range(0, len(wanted), _FETCH_ROWS):
            page = wanted[start : start + _FETCH_ROWS]
            rows = await self._query(space, filters.of_faces(page), (*KEY_FIELDS, VECTOR_FIELD))
            found.extend(face_of(row) for row in rows)
        return found

    async def count(self, space: SpaceId) -> int:
        if await self._space(space) is None:
            return 0
        rows = await self._query(space, "", ("count(*)",))
        return int(str(rows[0]["count(*)"]))

    async def ping(self) -> None:
        await self._calls.read(lambda client, timeout: client.get_server_version(timeout=timeout))

    async def close(self) -> None:
        await self._calls.close()

    async def _space(self, space: SpaceId) -> MilvusSpace | None:
        """The space, None if it does not exist. StoreMisconfigured if it is not ours."""
        if space not in self._known:
            found = await self._calls.read(
                lambda client, timeout: (
                    milvus_schema.read(client, space, timeout)
                    if client.has_collection(space, timeout=timeout)
                    else None
                )
            )
            if found is None:
                return None
            self._known[space] = found
        return self._known[space]

    async def _add(self, space: SpaceId, rows: Sequence[Row]) -> None:
        await self._write(
            space, lambda client, timeout: client.upsert(space, rows, timeout=timeout)
        )

    async def _remove(self, space: SpaceId, condition: str) -> None:
        await self._write(
            space,
            lambda client, timeout: client.delete(space, filter=condition, timeout=timeout),
        )

    async def _best(
        self, space: SpaceId, vector: Embedding, eligible: str, limit: int, minimum_score: float
    ) -> list[Hit]:
        """The first `limit` of the eligible rows, as `search` orders them."""
        asked = min(limit + _TIE_ROWS, MAX_LIMIT)
        while True:
            hits = await self._nearest(space, vector, eligible, asked)
            complete = len(hits) < asked or asked == MAX_LIMIT
            if complete or hits[-1].score < max(hits[limit - 1].score, minimum_score):
                break
            asked = min(2 * asked, MAX_LIMIT)
        enough = [hit for hit in hits if hit.score >= minimum_score]
        return sorted(enough, key=most_similar_first)[:limit]

    async def _nearest(
        self, space: SpaceId, probe: Embedding, eligible: str, limit: int
    ) -> list[Hit]:
        """The rows that Milvus finds most similar, most similar first."""
        params = self._index.search_params(limit)
        answers = await self._read(
            space,
            lambda client, timeout: client.search(
                space,
                data=[probe],
                filter=eligible,
                limit=limit,
                output_fields=list(KEY_FIELDS),
                search_params=params,
                anns_field=VECTOR_FIELD,
                consistency_level=self._consistency,
                timeout=timeout,
            ),
        )
        return [hit_of(row) for row in answers[0]] if answers else []

    async def _query(
        self, space: SpaceId, condition: str, fields: Sequence[str], **options: object
    ) -> Sequence[Row]:
        rows = await self._read(
            space,
            lambda client, timeout: client.query(
                space,
                filter=condition,
                output_fields=list(fields),
                consistency_level="Strong",
                timeout=timeout,
                **options,
            ),
        )
        return rows or []

    async def _read(self, space: SpaceId, call: Callable[[MilvusClient, float], T]) -> T | None:
        """What the call reads; None if the collection has gone meanwhile."""
        try:
            return await self._calls.read(self._loading(space, call))
        except _CollectionGone:
            self._known.pop(space, None)
            return None

    async def _write(self, space: SpaceId, call: Callable[[MilvusClient, float], T]) -> None:
        try:
            await self._calls.write(self._loading(space, call))
        except _CollectionGone as error:
            self._known.pop(space, None)
            msg = f"space {space} was dropped meanwhile"
            raise VectorsUnavailable(msg) from error

    def _loading(
        self, space: SpaceId, call: Callable[[MilvusClient, float], T]
    ) -> Callable[[MilvusClient, float], T]:
        """The call, made again after loading the collection if a restart has unloaded it."""

        def attempt(client: MilvusClient, timeout: float) -> T:
            try:
                return call(client, timeout)
            except FAILURES as error:
                match code_of(error):
                    case code if code in COLLECTION_NOT_FOUND:
                        raise _CollectionGone from error
                    case code if code in NOT_LOADED:
                        milvus_schema.load(client, space, self._replicas, timeout)
                        return call(client, timeout)
                raise

        return attempt


class _CollectionGone(Exception):
    """Somebody dropped the collection since it was opened."""
