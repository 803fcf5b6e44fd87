"""Jobs of commands: taken once, followed while they run, and never fatal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from edge.jobs import JOBS_LEASE, JobHandler, JobWorker, Progress
from storage.errors import RecordsUnavailable
from storage.records.memory import MemoryRecordStore
from storage.records.model import Job, JobState
from tests.unit.edge.fakes import Gate


class Watched(MemoryRecordStore):
    """Records that tell when a job is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: asyncio.Queue[Job] = asyncio.Queue()
        self.failures = 0

    async def update_job(self, job: Job) -> None:
        await super().update_job(job)
        self.written.put_nowait(job)

    async def claim_job(self) -> Job | None:
        if self.failures:
            self.failures -= 1
            raise RecordsUnavailable("away")
        return await super().claim_job()

    async def ended(self) -> Job:
        while True:
            job = await self.written.get()
            if job.state in (JobState.DONE, JobState.FAILED):
                return job


@pytest.fixture
def records() -> Watched:
    return Watched()


@asynccontextmanager
async def working(records: Watched, **handlers: JobHandler) -> AsyncIterator[None]:
    worker = JobWorker(records, handlers, poll_seconds=0.001)
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def echo(arguments: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
    progress(2, 2)
    return {"said": arguments["say"]}


async def test_a_job_is_done_and_its_result_kept(records: Watched) -> None:
    await records.add_job("echo", {"say": "hello"})
    async with working(records, echo=echo):
        job = await records.ended()
    assert (job.state, job.result, job.done, job.total) == (
        JobState.DONE,
        {"said": "hello"},
        2,
        2,
    )


async def test_the_progress_of_a_job_can_be_followed(records: Watched) -> None:
    gate = Gate()

    async def slow(_arguments: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        progress(1, 3)
        await gate()
        return {}

    await records.add_job("slow", {})
    async with working(records, slow=slow):
        seen = await records.written.get()
        assert (seen.state, seen.done, seen.total) == (JobState.RUNNING, 1, 3)
        gate.open()
        assert (await records.ended()).state is JobState.DONE


async def test_a_job_that_fails_or_is_unknown_ends_only_itself(records: Watched) -> None:
    async def broken(_a: Mapping[str, object], _p: Progress) -> Mapping[str, object]:
        raise RuntimeError("boom")

    for kind in ("broken", "unheard of", "echo"):
        await records.add_job(kind, {"say": "hello"})
    async with working(records, broken=broken, echo=echo):
        ended = [await records.ended() for _ in range(3)]
    assert [job.state for job in ended] == [JobState.FAILED, JobState.FAILED, JobState.DONE]
    assert ended[0].error == "boom"


async def test_records_that_are_away_are_asked_again(records: Watched) -> None:
    records.failures = 3
    await records.add_job("echo", {"say": "hello"})
    async with working(records, echo=echo):
        assert (await records.ended()).state is JobState.DONE


async def test_the_lease_is_held_while_working_and_given_back(records: Watched) -> None:
    await records.add_job("echo", {"say": "hello"})
    async with working(records, echo=echo):
        await records.ended()
        assert await records.lease_held(JOBS_LEASE)
    assert not await records.lease_held(JOBS_LEASE)


async def test_a_second_edge_leaves_the_jobs_to_the_first(records: Watched) -> None:
    await records.take_lease(JOBS_LEASE, "another edge", 60)
    job = await records.add_job("echo", {"say": "hello"})
    async with working(records, echo=echo):
        for _ in range(50):
            await asyncio.sleep(0)
    waiting = await records.job(job.id)
    assert waiting is not None
    assert waiting.state is JobState.WAITING
