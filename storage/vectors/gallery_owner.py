"""The one task that reads and changes a gallery."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import VectorsUnavailable
from storage.identity import FaceId, RevisionId
from storage.vectors.gallery import Gallery, Query
from storage.vectors.port import FaceKey, Hit
from storage.vectors.shortlist import FROM_PROBES

# Multiplications that take about a millisecond on one core, one by one and in a matrix product:
# fewer are done on the event loop, where they cost less than handing them to a thread.
_INLINE_PRODUCTS = 12_000_000
_INLINE_MATRIX_PRODUCTS = 40_000_000
# Probes compared in one pass over the rows; those beyond wait for the next.
_MAX_TOGETHER = 32
# Building a hit takes a microsecond or two.
_INLINE_ROWS = 500
_CLOSED = "the vector store is closed"


@dataclass(frozen=True, slots=True)
class _Search:
    query: Query
    answer: asyncio.Future[list[Hit]]


@dataclass(frozen=True, slots=True)
class _Change:
    apply: Callable[[Gallery], None]
    done: asyncio.Future[None]


class GalleryOwner:
    """Does searches and changes in the order they come; searches that wait together, together.

    While a large search runs in the thread, what comes in waits: its probes are then compared in
    one pass over the rows, which costs less than one each where the rows fit into no cache.
    """

    def __init__(self, gallery: Gallery, thread: Executor) -> None:
        self._gallery = gallery
        self._thread = thread
        self._waiting: deque[_Search | _Change] = deque()
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="gallery")

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self._gallery.dim

    @property
    def faces(self) -> int:
        """How many faces there are."""
        return len(self._gallery)

    def known(self, faces: Sequence[FaceId]) -> frozenset[FaceId]:
        """Which of these are there; changes that wait are not."""
        # A search that runs in the thread changes nothing, and nothing else changes it meanwhile.
        return self._gallery.known(faces)

    async def search(self, query: Query) -> list[Hit]:
        """The answer; the query must be checked already."""
        answer: asyncio.Future[list[Hit]] = asyncio.get_running_loop().create_future()
        self._enqueue(_Search(query, answer))
        return await answer

    async def put(
        self, faces: Sequence[FaceKey], matrix: NDArray[np.float32], *, replace: bool
    ) -> None:
        """`Gallery.put`, after all that came before."""
        await self._change(lambda gallery: gallery.put(faces, matrix, replace=replace))

    async def remove_revisions(self, revisions: Iterable[RevisionId]) -> None:
        """`Gallery.remove_revisions`, after all that came before."""
        await self._change(lambda gallery: gallery.remove_revisions(revisions))

    async def close(self) -> None:
        """Stop; whatever waits gets VectorsUnavailable."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        while self._waiting:
            match self._waiting.popleft():
                case _Search(answer=future) | _Change(done=future):
                    _fail([future], VectorsUnavailable(_CLOSED))

    async def _change(self, apply: Callable[[Gallery], None]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(_Change(apply, done))
        await done

    def _enqueue(self, operation: _Search | _Change) -> None:
        if self._task.done():
            raise VectorsUnavailable(_CLOSED)
        self._waiting.append(operation)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            while self._waiting:
                match self._waiting[0]:
                    case _Change() as change:
                        self._waiting.popleft()
                        self._apply(change)
                    case _Search():
                        await self._answer_next()
                await asyncio.sleep(0)  # others get their turn between two steps
            self._wake.clear()

    def _apply(self, change: _Change) -> None:
        try:
            change.apply(self._gallery)
        except Exception as error:  # noqa: BLE001  # whatever it is belongs to whoever waits
            _fail([change.done], error)
        else:
            if not change.done.done():
                change.done.set_result(None)

    async def _answer_next(self) -> None:
        searches = list(self._taken_together())
        answers = [search.answer for search in searches]
        try:
            found = await self._found([search.query for search in searches])
        except asyncio.CancelledError:
            _fail(answers, VectorsUnavailable(_CLOSED))
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is belongs to whoever waits
            _fail(answers, error)
        else:
            for answer, hits in zip(answers, found, strict=True):
                if not answer.done():
                    answer.set_result(hits)

    def _taken_together(self) -> Iterator[_Search]:
        taken = 0
        while self._waiting and taken < _MAX_TOGETHER:
            search = self._waiting[0]
            if not isinstance(search, _Search):
                return
            self._waiting.popleft()
            if not search.answer.done():  # the caller may have gone
                taken += 1
                yield search

    async def _found(self, queries: Sequence[Query]) -> Sequence[list[Hit]]:
        products = len(queries) * len(self._gallery) * self._gallery.dim
        rows = sum(min(query.limit, len(self._gallery)) for query in queries)
        most = _INLINE_PRODUCTS if len(queries) < FROM_PROBES else _INLINE_MATRIX_PRODUCTS
        if products <= most and rows <= _INLINE_ROWS:
            return self._gallery.search(queries)
        # Nobody changes the gallery meanwhile: this task does that too.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._gallery.search, queries)


def _fail(futures: Iterable[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
