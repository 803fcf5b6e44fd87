"""Work that a command asks for while the service runs: done here, where the stores are open."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Awaitable, Callable, Mapping

import structlog

from edge.outages import Outages
from storage.errors import StorageError
from storage.records.model import Job, JobState
from storage.records.port import RecordStore

JOBS_LEASE = "jobs"
"""Whoever holds it runs the jobs; a command asks whether somebody does."""

Progress = Callable[[int, int | None], None]
JobHandler = Callable[[Mapping[str, object], Progress], Awaitable[Mapping[str, object]]]

_log = structlog.get_logger("edge.jobs")


class JobWorker:
    """Takes one job after the other, among all edges the one that holds the lease."""

    def __init__(
        self,
        records: RecordStore,
        handlers: Mapping[str, JobHandler],
        *,
        owner: str | None = None,
        poll_seconds: float = 1.0,
        lease_seconds: float = 30.0,
        report_to: Callable[[Job], None] = lambda _: None,
    ) -> None:
        """A worker.

        handlers: what to do by kind of job. owner: who holds the lease; the same one after a
        restart takes it over at once. report_to: told when a job begins, comes further and ends.
        """
        self._records = records
        self._handlers = handlers
        self._poll_seconds = poll_seconds
        self._lease_seconds = lease_seconds
        self._owner = owner or uuid.uuid4().hex
        self._report_to = report_to
        self._job: Job | None = None
        self._outages = Outages(_log)

    async def run(self) -> None:
        """Work until cancelled; the lease is given back then. A bug in a job ends that job only."""
        holding = asyncio.create_task(self._hold())
        try:
            while True:
                await self._step()
                await asyncio.sleep(self._poll_seconds)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            try:
                await self._records.drop_lease(JOBS_LEASE, self._owner)
            except StorageError as error:
                _log.warning("lease_not_dropped", cause=str(error))

    async def _hold(self) -> None:
        """Keep the lease, and write down how far the job at hand is."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                await self._take_lease()
            except StorageError as error:
                _log.warning("lease_not_renewed", cause=str(error))

    async def _step(self) -> None:
        try:
            is_mine = await self._take_lease()
            self._outages.back("records")
            if is_mine:
                job = await self._records.claim_job()
                if job is not None:
                    await self._do(job)
        except StorageError as error:
            self._outages.away("records", "jobs_not_reached", cause=str(error))
        except Exception:  # noqa: BLE001  # outermost: one bug must not end the worker
            _log.exception("jobs_failed")

    async def _take_lease(self) -> bool:
        return await self._records.take_lease(JOBS_LEASE, self._owner, self._lease_seconds)

    async def _do(self, job: Job) -> None:
        handler = self._handlers.get(job.kind)
        if handler is None:
            error = f"this service does not know jobs of the kind {job.kind!r}"
            failed = dataclasses.replace(job, state=JobState.FAILED, error=error)
            self._report_to(failed)
            await self._records.update_job(failed)
            return
        _log.info("job_started", job=job.id, kind=job.kind)
        self._job = job
        self._report_to(job)
        telling = asyncio.create_task(self._tell())
        try:
            result = await handler(job.arguments, self._progress)
            done = dataclasses.replace(self._job, state=JobState.DONE, result=dict(result))
        except Exception as error:  # noqa: BLE001  # outermost: one bug must not end the worker
            _log.exception("job_failed", job=job.id, kind=job.kind)
            done = dataclasses.replace(self._job, state=JobState.FAILED, error=str(error))
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        self._report_to(done)
        await self._records.update_job(done)
        self._job = None
        _log.info("job_ended", job=job.id, kind=job.kind, state=str(done.state))

    def _progress(self, done: int, total: int | None) -> None:
        if self._job is not None:
            self._job = dataclasses.replace(self._job, done=done, total=total)
            self._report_to(self._job)

    async def _tell(self) -> None:
        """Write the progress down, now and then."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            if self._job is not None:
                try:
                    await self._records.update_job(self._job)
                except StorageError as error:
                    _log.warning("progress_not_written", cause=str(error))
