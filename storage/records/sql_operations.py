"""Keys, leases and jobs in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from storage.errors import AlreadyExists
from storage.records.dialects import in_seconds, insert_into, now
from storage.records.ids import new_id
from storage.records.model import ApiKey, Job, JobState
from storage.records.rows import job_of, key_of
from storage.records.sql_queries import SqlPart
from storage.records.tables import api_keys, jobs, leases


class SqlOperations(SqlPart):
    """The methods of a RecordStore about keys, leases and jobs."""

    async def add_key(self, key: ApiKey) -> None:
        new = insert(api_keys).values(
            name=key.name,
            sha256=key.sha256,
            scopes=sorted(key.scopes),
            collections=None if key.collections is None else sorted(key.collections),
            created_at=key.created_at,
            revoked_at=key.revoked_at,
        )
        try:
            async with self._database.write() as connection:
                await connection.execute(new)
        except IntegrityError as error:
            raise AlreadyExists(f"there is a key named {key.name}") from error

    async def keys(self) -> Sequence[ApiKey]:
        every = select(api_keys).order_by(api_keys.c.name, api_keys.c.created_at)
        async with self._database.read() as connection:
            return [key_of(row) for row in await connection.execute(every)]

    async def revoke_key(self, name: str) -> bool:
        async with self._database.write() as connection:
            revoked = await connection.execute(
                update(api_keys)
                .where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
                .values(revoked_at=now())
            )
            return revoked.rowcount > 0

    async def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        async with self._database.write() as connection:
            new = insert_into(connection, leases).values(
                name=name, owner=owner, expires_at=in_seconds(literal(seconds))
            )
            taken = await connection.execute(
                new.on_conflict_do_update(
                    index_elements=[leases.c.name],
                    set_={"owner": new.excluded.owner, "expires_at": new.excluded.expires_at},
                    where=(leases.c.owner == owner) | (leases.c.expires_at <= now()),
                ).returning(leases.c.name)
            )
            return taken.first() is not None

    async def drop_lease(self, name: str, owner: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                delete(leases).where(leases.c.name == name, leases.c.owner == owner)
            )

    async def lease_held(self, name: str) -> bool:
        held = select(leases.c.name).where(leases.c.name == name, leases.c.expires_at > now())
        async with self._database.read() as connection:
            return (await connection.execute(held)).first() is not None

    async def add_job(self, kind: str, arguments: Mapping[str, object]) -> Job:
        new = insert(jobs).values(
            id=new_id(),
            kind=kind,
            arguments=dict(arguments),
            state=JobState.WAITING.value,
            done=0,
            result={},
            created_at=now(),
            updated_at=now(),
        )
        async with self._database.write() as connection:
            return job_of((await connection.execute(new.returning(*jobs.c))).one())

    async def claim_job(self) -> Job | None:
        oldest = (
            select(jobs.c.id)
            .where(jobs.c.state == JobState.WAITING.value)
            .order_by(jobs.c.created_at, jobs.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        async with self._database.write() as connection:
            claimed = await connection.execute(
                update(jobs)
                .where(jobs.c.id == oldest)
                .values(state=JobState.RUNNING.value, updated_at=now())
                .returning(*jobs.c)
            )
            row = claimed.one_or_none()
            return None if row is None else job_of(row)

    async def update_job(self, job: Job) -> None:
        async with self._database.write() as connection:
            await connection.execute(
                update(jobs)
                .where(jobs.c.id == job.id)
                .values(
                    kind=job.kind,
                    arguments=job.arguments,
                    state=job.state.value,
                    done=job.done,
                    total=job.total,
                    result=job.result,
                    error=job.error,
                    updated_at=now(),
                )
            )

    async def job(self, job_id: str) -> Job | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).one_or_none()
        return None if row is None else job_of(row)

    async def clock(self) -> float:
        async with self._database.read() as connection:
            return (await connection.execute(select(now()))).scalar_one().timestamp()

    async def ping(self) -> None:
        # It changes no row, but a database that takes no writes refuses it.
        async with self._database.write() as connection:
            await connection.execute(
                update(leases).where(leases.c.name == "").values(owner=leases.c.owner)
            )
