"""A backup knows whether the base may have been swept since it began."""

from __future__ import annotations

import asyncio

import pytest

from cli.backing_up.lease import LEASE_SECONDS, HeldLease, sweep_held_off
from edge.use_cases.sweep import SWEEP_LEASE, Sweep
from storage.backups.errors import BaseChanged
from storage.errors import RecordsUnavailable
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.vectors.memory import MemoryVectorStore


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Away(MemoryRecordStore):
    """Records that can be away."""

    is_away = False

    async def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        if self.is_away:
            raise RecordsUnavailable("away")
        return await super().take_lease(name, owner, seconds)


async def test_a_lease_that_is_renewed_in_time_is_held() -> None:
    clock = Clock()
    lease = HeldLease(MemoryRecordStore(), "me", clock)
    assert await lease.take()
    for _ in range(3):
        clock.now += LEASE_SECONDS - 1
        lease.ensure_held()
        assert await lease.take()
    lease.ensure_held()


async def test_a_lease_that_was_renewed_too_late_is_lost_for_good() -> None:
    clock = Clock()
    lease = HeldLease(MemoryRecordStore(), "me", clock)
    await lease.take()
    clock.now += LEASE_SECONDS + 1
    with pytest.raises(BaseChanged):
        lease.ensure_held()
    assert await lease.take()  # nobody else wanted it, or somebody who has ended
    with pytest.raises(BaseChanged):
        lease.ensure_held()


async def test_a_lease_that_somebody_else_took_is_lost() -> None:
    records = MemoryRecordStore()
    lease = HeldLease(records, "me")
    await lease.take()
    await records.drop_lease(SWEEP_LEASE, "me")
    await records.take_lease(SWEEP_LEASE, "an edge", 60)
    assert not await lease.take()
    with pytest.raises(BaseChanged):
        lease.ensure_held()


async def test_a_database_that_is_away_for_a_moment_is_no_loss() -> None:
    clock, records = Clock(), Away()
    lease = HeldLease(records, "me", clock)
    await lease.take()
    records.is_away = True
    clock.now += LEASE_SECONDS / 2
    with pytest.raises(RecordsUnavailable):
        await lease.take()
    lease.ensure_held()
    records.is_away = False
    assert await lease.take()
    clock.now += LEASE_SECONDS - 1
    lease.ensure_held()


async def test_nobody_sweeps_meanwhile_and_anybody_afterwards() -> None:
    records = MemoryRecordStore()
    sweep = Sweep(records, MemoryVectorStore(), MemoryPhotoStore())
    async with sweep_held_off(records, "backup into a folder"):
        assert await records.lease_held(SWEEP_LEASE)
        assert (await sweep.once()).failure is None
        assert not await records.take_lease(SWEEP_LEASE, "an edge", 60)
    assert await records.take_lease(SWEEP_LEASE, "an edge", 60)


async def test_after_a_kill_the_next_one_need_not_wait_until_the_lease_lapses() -> None:
    records = MemoryRecordStore()
    purpose = "backup into a folder"
    async with (
        asyncio.timeout(10),
        sweep_held_off(records, purpose),
        sweep_held_off(records, purpose) as lease,
    ):
        lease.ensure_held()
