"""Keys, leases and jobs in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from storage.errors import AlreadyExists
from storage.records.ids import new_id
from storage.records.model import ApiKey, Job, JobState


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class MemoryOperations:
    """The part of the memory store about keys, leases and jobs."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._keys: list[ApiKey] = []
        self._leases: dict[str, tuple[str, datetime]] = {}
        self._jobs: dict[str, Job] = {}

    async def add_key(self, key: ApiKey) -> None:
        if any(
            key.sha256 == other.sha256 or (key.name == other.name and other.revoked_at is None)
            for other in self._keys
        ):
            raise AlreadyExists(f"there is a key named {key.name}")
        self._keys.append(key)

    async def keys(self) -> Sequence[ApiKey]:
        return sorted(self._keys, key=lambda key: (key.name, key.created_at))

    async def revoke_key(self, name: str) -> bool:
        for position, key in enumerate(self._keys):
            if key.name == name and key.revoked_at is None:
                self._keys[position] = replace(key, revoked_at=self._now())
                return True
        return False

    async def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        holder = self._holder(name)
        if holder is not None and holder != owner:
            return False
        self._leases[name] = (owner, self._now() + timedelta(seconds=seconds))
        return True

    async def drop_lease(self, name: str, owner: str) -> None:
        if self._holder(name) == owner:
            del self._leases[name]

    async def lease_held(self, name: str) -> bool:
        return self._holder(name) is not None

    async def add_job(self, kind: str, arguments: Mapping[str, object]) -> Job:
        job = Job(new_id(), kind, dict(arguments), JobState.WAITING)
        self._jobs[job.id] = job
        return job

    async def claim_job(self) -> Job | None:
        for job in self._jobs.values():
            if job.state is JobState.WAITING:
                self._jobs[job.id] = replace(job, state=JobState.RUNNING)
                return self._jobs[job.id]
        return None

    async def update_job(self, job: Job) -> None:
        if job.id in self._jobs:
            self._jobs[job.id] = job

    async def job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    async def clock(self) -> float:
        return self._now().timestamp()

    def _holder(self, name: str) -> str | None:
        owner, until = self._leases.get(name, (None, None))
        return owner if until is not None and until > self._now() else None
