"""Sending photos: several at once, patient with a busy service, never stopped by one bad file."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from cli.errors import CommandError
from cli.indexing.ledger import Listed
from cli.indexing.patience import Patience
from cli.indexing.reading import PatientReader
from cli.indexing.source import FoundPhoto, NotAPhoto, UnreadablePhoto, Unusable
from cli.indexing.tally import Ending, Outcome
from cli.rest.answers import Enrolled
from cli.rest.client import Refused, ServiceAway

IN_FLIGHT = 8
_UNAUTHORISED = frozenset({401, 403})
_BUSY = frozenset({429, 503})
_SLOW = frozenset({408, 502, 504})
_SLOW_ATTEMPTS = 3

Photos = AsyncIterator[FoundPhoto | Unusable]


class ServiceGaveUp(CommandError):
    """The service has not taken anything for too long."""


class PhotoTaker(Protocol):
    """What is needed of the edge's client."""

    async def put_photo(
        self, photo_id: str, collection_id: str | None, image: bytes
    ) -> Enrolled: ...


class Uploader:
    """Sends photos to one collection. `listed`: what the service has of it, by photo_id."""

    def __init__(
        self,
        taker: PhotoTaker,
        read: PatientReader,
        collection_id: str | None,
        listed: Callable[[str], Listed | None],
        *,
        patience: Patience = Patience(),  # noqa: B008  # frozen
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._taker = taker
        self._read = read
        self._collection_id = collection_id
        self._listed = listed
        self._patience = patience
        self._in_flight = in_flight
        self._last_progress = time.monotonic()

    async def run(self, photos: Photos, on_outcome: Callable[[Outcome], None]) -> None:
        """Send them all, taking the next one when there is a place; `on_outcome` hears of each.

        Raises ServiceGaveUp, SourceGaveUp, or Refused if the key may not do this: the rest is not
        sent.
        """
        self._last_progress = time.monotonic()
        turn = asyncio.Lock()
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._in_flight):
                    workers.create_task(self._work(photos, turn, on_outcome))
        except ExceptionGroup as group:
            ours = [error for error in group.exceptions if isinstance(error, CommandError)]
            if len(ours) < len(group.exceptions):
                raise
            raise ours[0] from None  # all workers end for the same reason; one of them says it

    async def _work(
        self, photos: Photos, turn: asyncio.Lock, on_outcome: Callable[[Outcome], None]
    ) -> None:
        while True:
            async with turn:  # a generator takes one caller at a time
                photo = await anext(photos, None)
            if photo is None:
                return
            outcome = await self._outcome(photo)
            self._last_progress = time.monotonic()
            if outcome is not None:
                on_outcome(outcome)

    async def _outcome(self, photo: FoundPhoto | Unusable) -> Outcome | None:
        """What came of it; None: it is no photo."""
        if isinstance(photo, Unusable):
            return Outcome(photo.place, Ending.FAILED, reason=photo.reason)
        done = self._listed(photo.photo_id)
        if done is not None and not done.is_done:
            done = None
        if done is not None and self._read.known_sha256(photo) == done.sha256:
            return _unchanged(photo, done)
        try:
            content = await self._read(photo)
        except UnreadablePhoto as error:
            return _failed(photo, str(error))
        except NotAPhoto:
            return None
        if done is not None and content.sha256 == done.sha256:
            return _unchanged(photo, done)
        return await self._sent(photo, content.data)

    async def _sent(self, photo: FoundPhoto, image: bytes) -> Outcome:
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


def _unchanged(photo: FoundPhoto, listed: Listed) -> Outcome:
    return Outcome(photo.photo_id, Ending.UNCHANGED, has_faces=listed.status != "no_faces")


def _failed(photo: FoundPhoto, reason: str) -> Outcome:
    return Outcome(photo.photo_id, Ending.FAILED, reason=reason)
