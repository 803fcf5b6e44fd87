"""Checking a base: by the service that runs on it, or, without one, by opening its stores."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cli.base.no_inference import NoInference
from cli.base.records import records_of, settings_of
from cli.errors import CommandError
from cli.logs import quiet_logs
from cli.progress import progress
from cli.running.service import ServiceOptions, start_inference
from edge.background import CHECK_JOB
from edge.inference_client import GrpcFaceAnalyzer
from edge.jobs import JOBS_LEASE
from edge.use_cases.check import CheckBase, CheckReport
from edge.use_cases.model import FaceAnalyzer
from storage.errors import StoreLocked
from storage.open import Stores, open_stores
from storage.records.model import Job, JobState
from storage.records.port import RecordStore

_POLL_SECONDS = 0.3
_START_SECONDS = 30.0
"""How long a service may take from opening the base to running jobs."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """What to check, and how."""

    data_dir: Path
    is_repair: bool = False
    models_dir: Path | None = None
    pack: str | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found."""

    figures: Mapping[str, object]
    """By name, as CheckReport.as_json gives them."""

    @property
    def problems(self) -> int:
        """How many were found, repaired or not."""
        return self.count("problems")

    @property
    def remaining(self) -> int:
        """How many are still there."""
        return self.count("remaining")

    def count(self, name: str) -> int:
        """One figure."""
        value = self.figures.get(name, 0)
        return value if isinstance(value, int) else 0


async def check_base(order: CheckOrder) -> CheckResult:
    """Check, and repair if that is asked for; the progress is shown.

    Raises CommandError or StorageError if it cannot be done.
    """
    with progress("items") as bar:
        task = bar.add_task("checking", total=None)

        def advance(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        async with records_of(order.data_dir) as records:
            figures = await _check_by_whoever_can(records, order, advance)
    return CheckResult(figures)


async def _check_by_whoever_can(
    records: RecordStore, order: CheckOrder, advance: Progress
) -> Mapping[str, object]:
    until = time.monotonic() + _START_SECONDS
    while True:
        if await records.lease_held(JOBS_LEASE):
            figures = await ask_service(records, order.is_repair, advance)
            if figures is not None:
                return figures
        try:
            return await _check_by_itself(order, advance)
        except StoreLocked:
            # A service that is starting or stopping: it has the folder, and no lease.
            if time.monotonic() > until:
                raise
            await asyncio.sleep(_POLL_SECONDS)


async def ask_service(
    records: RecordStore, is_repair: bool, advance: Progress
) -> Mapping[str, object] | None:
    """What the running service found; None if it ended before it took the job.

    Raises CommandError if the check failed there, or if the service ended during it.
    """
    job = await records.add_job(CHECK_JOB, {"repair": is_repair})
    try:
        while True:
            now = await records.job(job.id)
            match now:
                case None:
                    raise CommandError("the job of the check was lost", "run it again")
                case Job(state=JobState.DONE):
                    return now.result
                case Job(state=JobState.FAILED):
                    raise CommandError(f"the check failed in the service: {now.error}")
                case Job(state=JobState.WAITING) if not await records.lease_held(JOBS_LEASE):
                    await _withdraw(records, job)
                    return None
                case Job(state=JobState.RUNNING) if not await records.lease_held(JOBS_LEASE):
                    raise CommandError("the service ended during the check", "run it again")
                case _:
                    advance(now.done, now.total)
            await asyncio.sleep(_POLL_SECONDS)
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


async def _check_by_itself(order: CheckOrder, advance: Progress) -> Mapping[str, object]:
    quiet_logs()
    async with open_stores(settings_of(order.data_dir)) as stores:
        found = await _check(stores, NoInference(), advance, is_repair=False)
        if order.is_repair and not found.is_clean:
            # Models take seconds to load: only where vectors must be made.
            choose: AbstractAsyncContextManager[FaceAnalyzer] = (
                _inference(order) if found.vectors_missing else nullcontext(NoInference())
            )
            async with choose as faces:
                found = await _check(stores, faces, advance, is_repair=True)
    return found.as_json()


async def _check(
    stores: Stores, faces: FaceAnalyzer, advance: Progress, *, is_repair: bool
) -> CheckReport:
    check = CheckBase(faces, stores.vectors, stores.records, stores.photos)
    return await check(repair=is_repair, progress=advance)


@asynccontextmanager
async def _inference(order: CheckOrder) -> AsyncIterator[FaceAnalyzer]:
    options = ServiceOptions(order.data_dir, order.models_dir, order.pack)
    async with start_inference(options, on_line=lambda _name, _line: None) as target:
        faces = GrpcFaceAnalyzer([target])
        try:
            yield faces
        finally:
            await faces.close()
