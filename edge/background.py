"""What runs beside the requests: the sweep, the jobs of commands, the repair after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from edge.backend import Services
from edge.background_metrics import BackgroundMetrics
from edge.errors import EdgeError
from edge.inference_errors import InferenceFault
from edge.jobs import JobHandler, JobWorker, Progress
from edge.pack_change import pack_change_jobs, watch_packs
from edge.services import lease_owner
from edge.use_cases.backup_vectors import VECTORS_JOB, BackUpVectors
from edge.use_cases.check import CheckBase
from edge.use_cases.missing_vectors import MissingVectors
from storage.errors import StorageError
from storage.vectors.resident import ResidentVectorStore

CHECK_JOB = "check"
"""Arguments: `repair`, true or false. The result is the report of the check, as JSON."""

_RETRY_SECONDS = 5.0

_log = structlog.get_logger("edge.background")


@asynccontextmanager
async def background(services: Services, metrics: BackgroundMetrics) -> AsyncIterator[None]:
    """Runs them while the block runs."""
    handlers: dict[str, JobHandler] = {
        CHECK_JOB: _check_job(services),
        VECTORS_JOB: BackUpVectors(services.stores.vectors),
        **pack_change_jobs(services),
    }
    metrics.expect_jobs(handlers)
    worker = JobWorker(
        services.stores.records,
        handlers,
        owner=lease_owner(services.stores),
        report_to=metrics.job,
    )
    tasks = [
        asyncio.create_task(services.sweep.run(), name="sweep"),
        asyncio.create_task(worker.run(), name="jobs"),
        asyncio.create_task(restore_vectors(services), name="restore vectors"),
        asyncio.create_task(watch_packs(services), name="watch packs"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def restore_vectors(services: Services, *, retry_seconds: float = _RETRY_SECONDS) -> None:
    """Make the vectors again that a crash of the machine took; waits for inference if it must.

    Only over a Milvus Lite folder (that is where the resident index is): its log is not fsynced.
    """
    stores = services.stores
    if not isinstance(stores.vectors, ResidentVectorStore):
        return
    # Memory was read from the folder a moment ago. Reading all vectors again would hold up the
    # first searches for seconds.
    missing = MissingVectors(
        services.faces,
        stores.vectors,
        stores.records,
        stores.photos,
        stored=stores.vectors.in_memory,
    )
    while True:
        try:
            active = await services.spaces.active()
            if active is not None:
                checked = await missing(active, repair=True, progress=_to_nobody)
                _log.info(
                    "vectors_checked",
                    faces=checked.faces,
                    missing=checked.missing,
                    restored=checked.restored,
                )
        except (EdgeError, StorageError, InferenceFault) as error:
            _log.warning("vectors_not_checked", cause=str(error))
            await asyncio.sleep(retry_seconds)
        else:
            return


def _to_nobody(_done: int, _total: int | None) -> None:
    return


def _check_job(services: Services) -> JobHandler:
    stores = services.stores
    check = CheckBase(services.faces, stores.vectors, stores.records, stores.photos)

    async def run(arguments: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        report = await check(repair=arguments.get("repair") is True, progress=progress)
        return report.as_json()

    return run
