"""Sending photos: several at once, patient with a busy service, never stopped by one bad file."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cli.errors import CommandError
from cli.indexing.walk import FoundPhoto
from cli.rest.answers import Enrolled, PhotoRow
from cli.rest.client import Refused, ServiceAway

IN_FLIGHT = 8
_LARGEST_BYTES = 256 * 1024 * 1024
"""Nothing larger is even read; the service's own limit is far below."""
_UNAUTHORISED = frozenset({401, 403})
_BUSY = frozenset({429, 503})
_SLOW = frozenset({408, 502, 504})
_SLOW_ATTEMPTS = 3
DONE_STATUSES = frozenset({"indexed", "no_faces"})


class Ending(StrEnum):
    """How it went with one photo."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one photo."""

    photo_id: str
    ending: Ending
    has_faces: bool = True
    reason: str = ""
    """Why it failed."""
    faces_refused: int = 0
    """Faces too poor to be indexed, as the service is set. Only of a photo that was sent."""
    faces_marked: int = 0
    """Poor faces that were indexed all the same; likewise."""
    is_refused_whole: bool = False
    """Whether it shows faces, and all were refused."""


class ServiceGaveUp(CommandError):
    """The service has not taken anything for too long."""


class PhotoTaker(Protocol):
    """What is needed of the edge's client."""

    async def put_photo(
        self, photo_id: str, collection_id: str | None, image: bytes
    ) -> Enrolled: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on when the service is busy or away."""

    give_up_after_seconds: float = 60.0
    """Without any progress on any photo."""
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 8.0

    def delay(self, attempt: int, asked_seconds: float | None, chance: float) -> float:
        """Seconds until attempt number `attempt` + 1: what was asked for, and a doubling share.

        chance: 0 to 1, anew each time, so that waiting workers do not come back together.
        """
        share = min(self.first_delay_seconds * 2.0**attempt, self.longest_delay_seconds)
        return min(asked_seconds or 0.0, self.longest_delay_seconds) + share * (0.5 + chance)


class Uploader:
    """Sends photos to one collection. `known`: what the service has of it, by photo_id."""

    def __init__(
        self,
        taker: PhotoTaker,
        collection_id: str | None,
        known: Mapping[str, PhotoRow],
        *,
        patience: Patience = Patience(),
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._taker = taker
        self._collection_id = collection_id
        self._known = known
        self._patience = patience
        self._in_flight = in_flight
        self._last_progress = time.monotonic()

    async def run(
        self, photos: Sequence[FoundPhoto], on_outcome: Callable[[Outcome], None]
    ) -> None:
        """Send them all; `on_outcome` hears of each as it ends.

        Raises ServiceGaveUp, or Refused if the key may not do this: the rest is not sent.
        """
        self._last_progress = time.monotonic()
        queue = iter(photos)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._in_flight):
                    workers.create_task(self._work(queue, on_outcome))
        except ExceptionGroup as group:
            ours = [error for error in group.exceptions if isinstance(error, CommandError)]
            if len(ours) < len(group.exceptions):
                raise
            raise ours[0] from None  # all workers end for the same reason; one of them says it

    async def _work(
        self, queue: Iterator[FoundPhoto], on_outcome: Callable[[Outcome], None]
    ) -> None:
        for photo in queue:
            outcome = await self._send(photo)
            self._last_progress = time.monotonic()
            on_outcome(outcome)

    async def _send(self, photo: FoundPhoto) -> Outcome:
        try:
            if photo.path.stat().st_size > _LARGEST_BYTES:
                return _failed(photo, "the file is far too large for a photo")
            image = await asyncio.to_thread(photo.path.read_bytes)
        except OSError as error:
            return _failed(photo, f"cannot be read: {error.strerror}")
        row = self._known.get(photo.photo_id)
        if row is not None and row.status in DONE_STATUSES:
            digest = await asyncio.to_thread(lambda: hashlib.sha256(image).hexdigest())
            if digest == row.sha256:
                return Outcome(photo.photo_id, Ending.UNCHANGED, row.status != "no_faces")
        attempt = 0
        while True:
            try:
                enrolled = await self._taker.put_photo(photo.photo_id, self._collection_id, image)
            except (Refused, ServiceAway) as error:
                if isinstance(error, Refused) and error.status not in _BUSY:
                    if error.status in _UNAUTHORISED:
                        raise
                    if error.status not in _SLOW or attempt + 1 >= _SLOW_ATTEMPTS:
                        return _failed(photo, error.reason)
                await self._wait(attempt, error)
                attempt += 1
            else:
                return _taken(photo, enrolled)

    async def _wait(self, attempt: int, error: Refused | ServiceAway) -> None:
        if time.monotonic() - self._last_progress > self._patience.give_up_after_seconds:
            raise ServiceGaveUp(
                f"the service took nothing for {self._patience.give_up_after_seconds:g} s; "
                f"last, {error}",
                error.todo,
            ) from error
        asked = error.retry_after_seconds if isinstance(error, Refused) else None
        chance = random.random()  # noqa: S311  # spreads load, keeps no secret
        await asyncio.sleep(self._patience.delay(attempt, asked, chance))


def _taken(photo: FoundPhoto, enrolled: Enrolled) -> Outcome:
    refused = {face.face_id for face in enrolled.refused}
    return Outcome(
        photo.photo_id,
        Ending.INDEXED if enrolled.created else Ending.UNCHANGED,
        has_faces=bool(enrolled.faces),
        faces_refused=len(refused),
        faces_marked=sum(
            face.low_quality and face.face_id not in refused for face in enrolled.faces
        ),
        is_refused_whole=0 < len(enrolled.faces) == len(refused),
    )


def _failed(photo: FoundPhoto, reason: str) -> Outcome:
    return Outcome(photo.photo_id, Ending.FAILED, reason=reason)
