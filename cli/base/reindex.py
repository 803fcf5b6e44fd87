"""Re-indexing a base: by the service that runs on it, or, without one, by opening its stores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.base.audit import CommandAudit, command_audit
from cli.base.jobs import POLL_SECONDS, Progress, ask_service
from cli.base.records import records_of, settings_of
from cli.base.reindex_report import pack_of
from cli.console import note
from cli.errors import CommandError, UsageError
from cli.logs import quiet_logs
from cli.progress import progress
from cli.running.service import ServiceOptions, start_inference
from edge.errors import EdgeError
from edge.inference_client import GrpcFaceAnalyzer
from edge.inference_errors import InferenceFault
from edge.inference_tls import channel_files
from edge.jobs import JOBS_LEASE
from edge.pack_change import REINDEX_JOB, reindexer
from edge.settings import load_settings
from edge.use_cases.embed_again import Pace
from edge.use_cases.reindex import CannotReindex
from edge.use_cases.spaces import Spaces
from storage.errors import StoreLocked
from storage.open import open_stores
from storage.records.model import SpaceState
from storage.records.port import RecordStore

_START_SECONDS = 30.0
"""How long a service may take from opening the base to running jobs."""
_WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ReindexOrder:
    """What to re-index with, and how. One of `pack` and `inference_url` is None."""

    data_dir: Path
    models_dir: Path | None
    pack: str | None
    inference_url: str | None
    pace: Pace


async def reindex_base(order: ReindexOrder) -> Mapping[str, object]:
    """Re-index; the progress is shown. Raises CommandError or StorageError if it cannot be done.

    With a server of its own for the new pack, it returns only when the service does without it.
    """
    with command_audit() as audit:
        return await _reindex_base(order, audit)


async def _reindex_base(order: ReindexOrder, audit: CommandAudit) -> Mapping[str, object]:
    async with records_of(order.data_dir) as records, _target(order) as target:
        await _take_over(records, target)
        with progress("faces") as bar:
            task = bar.add_task("embedding", total=None)

            def advance(done: int, total: int | None) -> None:
                bar.update(task, completed=done, total=total)

            figures, by_service = await _by_whoever_can(records, order, target, advance)
        former, present = pack_of(figures, "former"), pack_of(figures, "present")
        changed = f"the base is searched with {present} now"
        audit.note_done("change_pack", changed, former=former, present=present)
        if by_service:
            await _stay(records, order, target, figures)
    return figures


async def _by_whoever_can(
    records: RecordStore, order: ReindexOrder, target: str, advance: Progress
) -> tuple[Mapping[str, object], bool]:
    """The figures, and whether a service did it."""
    until = time.monotonic() + _START_SECONDS
    while True:
        if await records.lease_held(JOBS_LEASE):
            arguments = {"target": target, **asdict(order.pace)}
            figures = await ask_service(records, REINDEX_JOB, arguments, advance, name="re-index")
            if figures is not None:
                return figures, True
        try:
            return await _by_itself(order, target, advance), False
        except StoreLocked:
            # A service that is starting or stopping: it has the folder, and no lease.
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_SECONDS)


async def _by_itself(order: ReindexOrder, target: str, advance: Progress) -> Mapping[str, object]:
    quiet_logs()
    async with open_stores(settings_of(order.data_dir)) as stores:
        reindex = reindexer(stores, Spaces(stores.vectors, stores.records))
        faces = GrpcFaceAnalyzer([target], tls=channel_files(load_settings()))
        # Edges that are started later may use that server; one of this command ends with it.
        told = None if stores.are_exclusive else order.inference_url
        try:
            report = await reindex(faces, told, pace=order.pace, progress=advance)
        except (CannotReindex, EdgeError, InferenceFault) as error:
            raise CommandError(str(error)) from error
        finally:
            await faces.close()
    return report.as_json()


async def _stay(
    records: RecordStore, order: ReindexOrder, target: str, figures: Mapping[str, object]
) -> None:
    """Say what is left to do; keep a server of our own until the service does without it."""
    pack = pack_of(figures, "present")
    if order.inference_url is not None:
        note(
            f"Searches go to {order.inference_url} now. Let the inference servers of the settings "
            f"run {pack}; then `facesearch spaces drop` ends the change, and that server may stop."
        )
        return
    note(
        f"The service searches with {pack} now, by the server of this command. Restart it with "
        f"that pack (`facesearch up --pack {order.pack}`); this command ends by itself then. "
        "Do not stop it before."
    )
    while True:
        if not await _is_named(records, target):
            return
        await asyncio.sleep(_WATCH_SECONDS)


async def _is_named(records: RecordStore, target: str) -> bool:
    return any(
        space.state is SpaceState.ACTIVE and space.target == target
        for space in await records.spaces()
    )


async def _take_over(records: RecordStore, target: str) -> None:
    """Let a re-index that still waits for the server of a command that was killed give up."""
    for space in await records.spaces():
        if space.state is SpaceState.FILLING:
            await records.set_space_target(space.id, target)


@asynccontextmanager
async def _target(order: ReindexOrder) -> AsyncIterator[str]:
    """Where the new pack is run: the server that was named, or one of our own."""
    if order.inference_url is not None:
        if "://" in order.inference_url:
            raise UsageError(
                f"{order.inference_url!r} is not the address of an inference server",
                "give host:port, without http://",
            )
        yield order.inference_url
        return
    # One core of a CPU, so that the others are left to searches.
    options = ServiceOptions(order.data_dir, order.models_dir, order.pack, sessions=1)
    async with start_inference(options, on_line=lambda _name, _line: None) as target:
        yield target
