"""Checking a base: by the service that runs on it, or, without one, by opening its stores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cli.base.jobs import POLL_SECONDS, Progress, ask_service
from cli.base.no_inference import NoInference
from cli.base.records import records_of, settings_of
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
from storage.records.port import RecordStore

_START_SECONDS = 30.0
"""How long a service may take from opening the base to running jobs."""


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
            arguments = {"repair": order.is_repair}
            figures = await ask_service(records, CHECK_JOB, arguments, advance, name="check")
            if figures is not None:
                return figures
        try:
            return await _check_by_itself(order, advance)
        except StoreLocked:
            # A service that is starting or stopping: it has the folder, and no lease.
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_SECONDS)


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
