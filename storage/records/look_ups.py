"""Look-ups of many searches, one query at a time: what waits meanwhile goes in the next."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from storage.errors import RecordsUnavailable
from storage.identity import FaceId, SpaceId
from storage.records.model import Box
from storage.records.visible import VisibleRow, box_by_face

# Faces of all look-ups that go in one query; a search asks for some 50, rarely for thousands.
_MAX_TOGETHER = 2_000
_CLOSED = "the records are closed"

Read = Callable[[SpaceId, str], asyncio.Future[Sequence[VisibleRow]]]
"""Begins the query VISIBLE: the space, and the wanted faces as a JSON array."""


@dataclass(frozen=True, slots=True, eq=False)
class _LookUp:
    space: SpaceId
    faces: Sequence[FaceId]
    answer: asyncio.Future[dict[FaceId, Box]]


class LookUps:
    """Which faces are visible, by one query after the other. What `read` raises reaches all whom
    the query was for, and nobody after them.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._waiting: deque[_LookUp] = deque()
        self._is_busy = False
        self._is_closed = False

    async def __call__(self, space: SpaceId, faces: Sequence[FaceId]) -> dict[FaceId, Box]:
        """Those of `faces`, ids of ours, that are visible."""
        if self._is_closed:
            raise RecordsUnavailable(_CLOSED)
        look_up = _LookUp(space, faces, asyncio.get_running_loop().create_future())
        self._waiting.append(look_up)
        self._send()
        try:
            return await look_up.answer
        except asyncio.CancelledError:
            if look_up in self._waiting:  # or the list would grow while the disk hangs
                self._waiting.remove(look_up)
            raise

    def close(self) -> None:
        """Take no more. What is in flight is still answered, what waits is not."""
        self._is_closed = True
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(RecordsUnavailable(_CLOSED))

    def _send(self) -> None:
        """Ask for what waits, if nothing is asked already."""
        if self._is_busy or not self._waiting:
            return
        sent = self._taken_together()
        wanted = {face_id for look_up in sent for face_id in look_up.faces}
        rows = self._read(sent[0].space, json.dumps(list(wanted)))
        self._is_busy = True
        rows.add_done_callback(partial(self._received, sent))

    def _taken_together(self) -> Sequence[_LookUp]:
        """The first that waits, and those of its space that follow it closely."""
        taken: list[_LookUp] = []
        faces = 0
        while self._waiting and (not taken or self._waiting[0].space == taken[0].space):
            faces += len(self._waiting[0].faces)
            if taken and faces > _MAX_TOGETHER:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _received(
        self, sent: Sequence[_LookUp], rows: asyncio.Future[Sequence[VisibleRow]]
    ) -> None:
        self._is_busy = False
        self._send()
        error = RecordsUnavailable(_CLOSED) if rows.cancelled() else rows.exception()
        boxes = {} if error is not None else dict(map(box_by_face, rows.result()))
        for look_up in sent:
            if look_up.answer.done():  # the caller has gone
                continue
            if error is not None:
                look_up.answer.set_exception(error)
            else:
                look_up.answer.set_result({f: boxes[f] for f in look_up.faces if f in boxes})
