"""Collects what no record shows any more. It only collects: nothing is repaired here."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from storage.errors import StorageError
from storage.identity import RevisionId
from storage.photos.port import PhotoStore
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore

_log = structlog.get_logger(__name__)

SWEEP_LEASE = "sweep"


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """When to collect, and how much at once."""

    interval_seconds: float = 60.0
    """Between sweeps where nothing asks for one."""
    debounce_seconds: float = 1.0
    """At least so long between two sweeps, however often they are asked for."""
    pending_seconds: float = 60.0
    """A revision still being written after so long never will be: twice the longest deadline."""
    staged_seconds: float = 24 * 3600.0
    orphans_seconds: float = 3600.0
    """Between looks at everything the stores hold, for what no row names."""
    lease_seconds: float = 60.0
    chunk: int = 500
    """Revisions collected at once."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What one sweep did."""

    expired: int = 0
    """Revisions given up: never finished, or staged for too long."""
    collected: int = 0
    """Garbage revisions whose vectors, bytes and rows are gone now."""
    orphans: int = 0
    """Revisions that no row named and whose vectors or bytes are gone now."""
    failure: str | None = None
    """What stopped it, such as "VectorsUnavailable"; the next sweep goes on from there."""


def _to_nobody(_report: SweepReport) -> None:
    return


class Sweep:
    """The one worker, among all edges, that collects leftovers.

    Vectors and bytes go before their row, so whatever stops it is taken up again by the next sweep.
    They are removed by revision, an id that nobody uses twice: a removal that lands late hits
    nothing new.
    """

    def __init__(
        self,
        records: RecordStore,
        vectors: VectorStore,
        photos: PhotoStore,
        settings: SweepSettings | None = None,
        *,
        owner: str | None = None,
        report_to: Callable[[SweepReport], None] = _to_nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner`: who holds the lease; the same one after a restart takes it over at once."""
        self._records = records
        self._vectors = vectors
        self._photos = photos
        self._settings = settings or SweepSettings()
        self._report_to = report_to
        self._clock = clock
        self._owner = owner or uuid.uuid4().hex
        self._asked_for = asyncio.Event()
        self._abandoned: set[RevisionId] = set()
        self._undiscarded: set[RevisionId] = set()
        self._next_orphans = clock() + self._settings.orphans_seconds

    def soon(self) -> None:
        """Ask for a sweep without waiting for it; many requests at once make one sweep."""
        self._asked_for.set()

    def abandoned(self, revision: RevisionId, *, is_discarded: bool = True) -> None:
        """Ask for a sweep after a write that failed.

        A removal in the middle of the write may have had the row collected already, and what was
        written since then has no row that leads to it. is_discarded: False if the records did not
        take it as garbage in time; the sweep tells them again, rather than that it expires.
        """
        self._abandoned.add(revision)
        if not is_discarded:
            self._undiscarded.add(revision)
        self.soon()

    async def run(self) -> None:
        """Sweep when asked for, and now and then, until cancelled. Never raises."""
        while True:
            with suppress(TimeoutError):  # nobody asked: it is time anyway
                async with asyncio.timeout(self._settings.interval_seconds):
                    await self._asked_for.wait()
            self._asked_for.clear()
            await self.once()
            await asyncio.sleep(self._settings.debounce_seconds)

    async def once(self) -> SweepReport:
        """One sweep, if no other edge is at it. What stops it is reported, not raised."""
        tally: Counter[str] = Counter()
        failure: str | None = None
        try:
            if await self._hold_lease():
                try:
                    await self._collect(tally)
                finally:
                    await self._records.drop_lease(SWEEP_LEASE, self._owner)
        except StorageError as error:
            failure = type(error).__name__
            _log.warning("sweep_stopped", reason=repr(error), **tally)
        except Exception as error:  # noqa: BLE001  # outermost: one bug must not end collecting
            failure = "internal"
            _log.exception("sweep_failed", reason=repr(error))
        report = SweepReport(**tally, failure=failure)
        self._report_to(report)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A lease that could not be given back took the place of the cancellation. Going on
            # would keep the process from ever ending.
            raise asyncio.CancelledError
        return report

    async def _collect(self, tally: Counter[str]) -> None:
        tally["expired"] += await self._records.expire(
            pending_seconds=self._settings.pending_seconds,
            staged_seconds=self._settings.staged_seconds,
        )
        for revision in sorted(self._undiscarded):
            await self._records.discard(revision)
            self._undiscarded.discard(revision)
        if abandoned := sorted(self._abandoned):
            await self._remove_unknown(abandoned, tally)
            self._abandoned.difference_update(abandoned)
        while garbage := await self._records.garbage(self._settings.chunk):
            await self._remove(garbage)
            await self._records.forget(garbage)
            tally["collected"] += len(garbage)
            if not await self._hold_lease():
                return
        if self._clock() >= self._next_orphans:
            await self._collect_orphans(tally)
            self._next_orphans = self._clock() + self._settings.orphans_seconds

    async def _collect_orphans(self, tally: Counter[str]) -> None:
        # What is being written right now is never among them: its row came before its bytes.
        async for written in self._photos.scan():
            await self._remove_unknown(written, tally)
        for space in await self._vectors.spaces():
            async for faces in self._vectors.scan(space):
                await self._remove_unknown(sorted({face.revision for face in faces}), tally)

    async def _remove_unknown(self, revisions: Sequence[RevisionId], tally: Counter[str]) -> None:
        unknown = await self._records.unknown(revisions)
        if unknown:
            await self._remove(unknown)
            tally["orphans"] += len(unknown)
            _log.info("orphans_collected", revisions=len(unknown))
        await self._hold_lease()

    async def _remove(self, revisions: Sequence[RevisionId]) -> None:
        await self._vectors.remove_revisions(revisions)
        await self._photos.remove(revisions)

    async def _hold_lease(self) -> bool:
        return await self._records.take_lease(
            SWEEP_LEASE, self._owner, self._settings.lease_seconds
        )
