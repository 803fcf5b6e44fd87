"""Work done by the service that runs on a base, because it has the stores open."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping

from cli.errors import CommandError
from edge.jobs import JOBS_LEASE
from storage.records.model import Job, JobState
from storage.records.port import RecordStore

POLL_SECONDS = 0.3

Progress = Callable[[int, int | None], None]


async def ask_service(
    records: RecordStore,
    kind: str,
    arguments: Mapping[str, object],
    advance: Progress,
    *,
    name: str,
) -> Mapping[str, object] | None:
    """The result of a job that the running service did; None if it ended before it took it.

    `name`: of the work, as in "the check failed". Raises CommandError if it failed there, or if the
    service ended during it.
    """
    job = await records.add_job(kind, arguments)
    try:
        while True:
            now = await records.job(job.id)
            match now:
                case None:
                    raise CommandError(f"the job of the {name} was lost", "run it again")
                case Job(state=JobState.DONE):
                    return now.result
                case Job(state=JobState.FAILED):
                    raise CommandError(f"the {name} failed in the service: {now.error}")
                case Job(state=JobState.WAITING) if not await records.lease_held(JOBS_LEASE):
                    await _withdraw(records, job)
                    return None
                case Job(state=JobState.RUNNING) if not await records.lease_held(JOBS_LEASE):
                    raise CommandError(f"the service ended during the {name}", "run it again")
                case _:
                    advance(now.done, now.total)
            await asyncio.sleep(POLL_SECONDS)
    except asyncio.CancelledError:
        await _withdraw(records, job)
        raise


async def _withdraw(records: RecordStore, job: Job) -> None:
    """Nobody is to begin it later. One that runs is left to its end."""
    now = await records.job(job.id)
    if now is not None and now.state is JobState.WAITING:
        await records.update_job(
            dataclasses.replace(now, state=JobState.FAILED, error="withdrawn by the command")
        )
