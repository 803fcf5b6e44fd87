"""What the edge does while a base changes from one pack to another."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping

import structlog

from edge.backend import Services
from edge.errors import EdgeError
from edge.inference_errors import InferenceFault
from edge.jobs import JobHandler, Progress
from edge.use_cases.drop_space import DropSpace
from edge.use_cases.embed_again import EmbedAgain, Pace
from edge.use_cases.reindex import CannotReindex, ReindexBase
from edge.use_cases.spaces import Spaces
from storage.errors import StorageError
from storage.open import Stores
from storage.vectors.resident import ResidentVectorStore

REINDEX_JOB = "reindex"
"""Arguments: `target`, where an inference server runs the new pack, host:port; `at_once` and
`photos_a_second`, as of Pace. The result is the report, as JSON."""
DROP_SPACE_JOB = "drop_space"
"""Arguments: `space`, its id."""

_WATCH_SECONDS = 2.0

_log = structlog.get_logger("edge.pack_change")


def reindexer(stores: Stores, spaces: Spaces) -> ReindexBase:
    """Re-indexing over these stores."""
    resident = stores.vectors if isinstance(stores.vectors, ResidentVectorStore) else None
    embed_again = EmbedAgain(
        stores.vectors,
        stores.records,
        stores.photos,
        stored=None if resident is None else resident.in_memory,
    )
    return ReindexBase(
        stores.vectors, stores.records, embed_again, spaces, free_bytes=_free_bytes(stores)
    )


def pack_change_jobs(services: Services) -> Mapping[str, JobHandler]:
    """The jobs of `facesearch reindex` and `facesearch spaces drop`."""
    reindex = reindexer(services.stores, services.spaces)
    drop = DropSpace(services.stores.vectors, services.stores.records)

    async def run_reindex(
        arguments: Mapping[str, object], progress: Progress
    ) -> Mapping[str, object]:
        target, pace = arguments.get("target"), _pace(arguments)
        if not isinstance(target, str):
            raise CannotReindex("the job names no inference server")
        await _settle(services)
        faces = services.connect(target)
        try:
            report = await reindex(faces, target, pace=pace, progress=progress)
        finally:
            await faces.close()
        return report.as_json()

    async def run_drop(arguments: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        await _settle(services)
        dropped = await drop(str(arguments.get("space")))
        progress(1, 1)
        return dropped.as_json()

    return {REINDEX_JOB: run_reindex, DROP_SPACE_JOB: run_drop}


async def watch_packs(services: Services) -> None:
    """Look now and then whether the records name a second inference server, until cancelled."""
    try:
        while True:
            try:
                await services.spaces.active()
                if services.stores.are_exclusive:
                    await _settle(services)
            except (StorageError, EdgeError, InferenceFault) as error:
                _log.debug("packs_not_read", cause=str(error))
            await asyncio.sleep(_WATCH_SECONDS)
    finally:
        await services.packs.close()


async def _settle(services: Services) -> None:
    """Forget the second server of the active space once those of the settings run its pack.

    Other edges may still have servers of the former one: only whoever is alone, or was told that
    the change is done, does this.
    """
    active = await services.spaces.active()
    if active is None or active.target is None:
        return
    if await services.packs.first_serves(active):
        await services.stores.records.set_space_target(active.id, None)
        _log.info("pack_changed", space=active.id, pack=active.pack)


def _pace(arguments: Mapping[str, object]) -> Pace:
    at_once, a_second = arguments.get("at_once"), arguments.get("photos_a_second")
    if not isinstance(at_once, int) or at_once < 1:
        raise CannotReindex("the job does not say how many photos at a time")
    if a_second is None:
        return Pace(at_once)
    if not isinstance(a_second, int | float) or a_second <= 0:
        raise CannotReindex("the job names no sensible number of photos a second")
    return Pace(at_once, float(a_second))


def _free_bytes(stores: Stores) -> Callable[[], int] | None:
    folder = stores.vectors_folder
    return None if folder is None else lambda: shutil.disk_usage(folder).free
