"""Spaces, keys, leases and jobs, on every record store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import AlreadyExists
from storage.identity import SpaceId
from storage.records.model import ApiKey, JobState, Space, SpaceState
from storage.records.port import RecordStore
from tests.contract.conftest import OpenRecords

FIRST = Space(SpaceId("one_1"), "buffalo_s", "1.0", 512, SpaceState.ACTIVE)
SECOND = Space(SpaceId("two_2"), "buffalo_l", "2.0", 512, SpaceState.FILLING)
GUEST = ApiKey(
    name="guest",
    sha256="a" * 64,
    scopes=frozenset({"search", "enrol"}),
    collections=frozenset({"wedding", "", "x'"}),
    created_at=datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=UTC),
)


async def test_a_space_is_registered_once(records: RecordStore) -> None:
    assert await records.spaces() == []
    assert await records.add_space(SECOND) == SECOND
    assert await records.add_space(FIRST) == FIRST
    other = replace(FIRST, pack="other", dim=256, state=SpaceState.RETIRED)
    assert await records.add_space(other) == FIRST
    assert await records.spaces() == [FIRST, SECOND]


async def test_one_space_is_active(records: RecordStore) -> None:
    await records.add_space(FIRST)
    await records.add_space(SECOND)
    await records.set_space_state(SECOND.id, SpaceState.ACTIVE)
    assert [space.state for space in await records.spaces()] == [
        SpaceState.RETIRED,
        SpaceState.ACTIVE,
    ]
    await records.set_space_state(SECOND.id, SpaceState.RETIRED)
    await records.set_space_state(FIRST.id, SpaceState.FILLING)
    assert [space.state for space in await records.spaces()] == [
        SpaceState.FILLING,
        SpaceState.RETIRED,
    ]


async def test_an_unknown_space_retires_none(records: RecordStore) -> None:
    await records.add_space(FIRST)
    await records.set_space_state(SpaceId("nobody"), SpaceState.ACTIVE)
    assert await records.spaces() == [FIRST]


async def test_keys_come_back_as_they_were_stored(records: RecordStore) -> None:
    everywhere = replace(GUEST, name="admin", sha256="b" * 64, collections=None)
    nowhere = replace(GUEST, name="nobody", sha256="c" * 64, collections=frozenset())
    for key in (nowhere, GUEST, everywhere):
        await records.add_key(key)
    assert await records.keys() == [everywhere, GUEST, nowhere]


async def test_a_name_has_one_key_in_use(records: RecordStore) -> None:
    await records.add_key(GUEST)
    newer = replace(GUEST, sha256="d" * 64, created_at=GUEST.created_at + timedelta(days=1))
    with pytest.raises(AlreadyExists):
        await records.add_key(newer)
    assert await records.revoke_key("guest")
    await records.add_key(newer)
    old, new = await records.keys()
    assert old.revoked_at is not None
    assert abs(old.revoked_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert (replace(old, revoked_at=None), new) == (GUEST, newer)


async def test_only_a_key_in_use_can_be_revoked(records: RecordStore) -> None:
    assert not await records.revoke_key("guest")
    await records.add_key(GUEST)
    assert await records.revoke_key("guest")
    assert not await records.revoke_key("guest")


async def test_a_lease_has_one_owner(open_records: OpenRecords) -> None:
    mine, theirs = await open_records(), await open_records()
    assert not await mine.lease_held("sweep")
    assert await mine.take_lease("sweep", "me", 60)
    assert await theirs.lease_held("sweep")
    assert not await theirs.take_lease("sweep", "they", 60)
    assert await mine.take_lease("sweep", "me", 60)
    assert await theirs.take_lease("vectors", "they", 60)


async def test_only_its_owner_gives_a_lease_back(open_records: OpenRecords) -> None:
    mine, theirs = await open_records(), await open_records()
    await mine.take_lease("sweep", "me", 60)
    await theirs.drop_lease("sweep", "they")
    assert await mine.lease_held("sweep")
    await mine.drop_lease("sweep", "me")
    assert not await mine.lease_held("sweep")
    assert await theirs.take_lease("sweep", "they", 60)


async def test_a_lease_that_ran_out_goes_to_who_asks(records: RecordStore) -> None:
    assert await records.take_lease("sweep", "me", -1)
    assert not await records.lease_held("sweep")
    assert await records.take_lease("sweep", "they", 60)
    assert not await records.take_lease("sweep", "me", 60)


async def test_a_job_is_claimed_once_and_followed(open_records: OpenRecords) -> None:
    asking, running = await open_records(), await open_records()
    assert await running.claim_job() is None
    job = await asking.add_job("check", {"repair": True, "only": ["ä", 1, None]})
    assert job.state is JobState.WAITING
    claimed = await running.claim_job()
    assert claimed == replace(job, state=JobState.RUNNING)
    assert await running.claim_job() is None
    for done in (
        replace(claimed, done=3, total=10),
        replace(claimed, done=10, total=10, state=JobState.DONE, result={"lost": [1, 2]}),
        replace(claimed, state=JobState.FAILED, error="records away"),
    ):
        await running.update_job(done)
        assert await asking.job(job.id) == done
    assert await asking.job("nobody") is None


async def test_every_waiting_job_has_its_turn(records: RecordStore) -> None:
    asked = [await records.add_job(kind, {}) for kind in ("check", "backup", "reindex")]
    claimed = [await records.claim_job() for _ in asked]
    assert {job.id for job in claimed if job} == {job.id for job in asked}


async def test_a_store_that_works_answers_a_ping_and_closes_twice(records: RecordStore) -> None:
    await records.ping()
    await records.close()
    await records.close()
