"""Holding the sweep off: nothing that a backup is to copy may be collected before it is copied."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cli.errors import CommandError
from edge.use_cases.sweep import SWEEP_LEASE
from storage.backups.errors import BaseChanged
from storage.errors import StorageError
from storage.records.port import RecordStore

LEASE_SECONDS = 60.0
_POLL_SECONDS = 0.3
_WAIT_SECONDS = 300.0
"""A sweep that is at work gives the lease back; one that was killed loses it within a minute."""


class HeldLease:
    """The sweep's lease, as long as it is renewed in time."""

    def __init__(
        self, records: RecordStore, owner: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records = records
        self._owner = owner
        self._clock = clock
        self._renewed: float | None = None
        self._is_lost = False

    async def take(self) -> bool:
        """Take or renew it; False if somebody else has it."""
        # Before the question: the lease may count from the moment that the database hears it.
        asked = self._clock()
        is_mine = await self._records.take_lease(SWEEP_LEASE, self._owner, LEASE_SECONDS)
        if self._renewed is not None and (not is_mine or asked - self._renewed > LEASE_SECONDS):
            self._is_lost = True  # it had lapsed: somebody may have swept in between
        if is_mine:
            self._renewed = asked
        return is_mine

    async def keep(self) -> None:
        """Renew it until cancelled. A database that is away for a moment is no loss."""
        while not self._is_lost:
            await asyncio.sleep(LEASE_SECONDS / 4)
            try:
                await self.take()
            except StorageError:  # what matters is whether it comes back in time
                continue

    def ensure_held(self) -> None:
        """Raises BaseChanged if the base may have been swept since it was taken."""
        is_held = self._renewed is not None and self._clock() - self._renewed <= LEASE_SECONDS
        if self._is_lost or not is_held:
            raise BaseChanged(
                "the database was away for a minute, and photos may have been collected meanwhile"
            )

    async def drop(self) -> None:
        """Give it back; where that fails it lapses by itself."""
        try:
            await self._records.drop_lease(SWEEP_LEASE, self._owner)
        except StorageError:
            return


@asynccontextmanager
async def sweep_held_off(records: RecordStore, purpose: str) -> AsyncIterator[HeldLease]:
    """Nobody collects anything while the block runs; waits for a sweep that is at it.

    `purpose`: of this machine, and of one process at a time. Whoever comes after one that was
    killed goes on with its lease. Raises CommandError if a sweep does not end.
    """
    lease = HeldLease(records, f"{purpose} ({socket.gethostname()})")
    until = time.monotonic() + _WAIT_SECONDS
    while not await lease.take():
        if time.monotonic() > until:
            raise CommandError("the sweep of the service does not end", "try again later")
        await asyncio.sleep(_POLL_SECONDS)
    keeping = asyncio.create_task(lease.keep())
    try:
        yield lease
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await lease.drop()
