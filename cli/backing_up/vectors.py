"""The vectors of a backup, copied by whoever can.

A Milvus server takes any number of clients: the command asks it itself. A Milvus Lite folder
belongs to one process: where a service runs on it, that one copies, into the folder of the backup.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.backing_up.progress import Steps
from cli.backing_up.stores import vectors_of
from cli.base.jobs import POLL_SECONDS, ask_service
from cli.errors import CommandError
from edge.jobs import JOBS_LEASE
from edge.use_cases.backup_vectors import VECTORS_JOB, BackUpVectors
from storage.errors import StoreLocked
from storage.identity import SpaceId
from storage.records.port import RecordStore
from storage.settings import StorageSettings

_START_SECONDS = 30.0
"""How long a service may take from opening the base to running jobs."""


async def copy_vectors(
    settings: StorageSettings,
    records: RecordStore,
    parts: Path,
    spaces: Sequence[SpaceId],
    steps: Steps,
) -> Mapping[SpaceId, int]:
    """Write the wanted vectors of these spaces; how many of each there were.

    Raises CommandError if the service cannot do it, whatever the stores raise.
    """
    arguments = {"parts": str(parts), "spaces": list(spaces)}
    is_lite = not settings.uses_milvus_server
    until = time.monotonic() + _START_SECONDS
    while True:
        if is_lite and await records.lease_held(JOBS_LEASE):
            result = await ask_service(
                records, VECTORS_JOB, arguments, steps.advance, name="copying of the vectors"
            )
            if result is not None:
                return _counts(result, spaces)
        try:
            async with vectors_of(settings) as vectors:
                return _counts(await BackUpVectors(vectors)(arguments, steps.advance), spaces)
        except StoreLocked:
            # A service that is starting or stopping: it has the folder, and no lease.
            if time.monotonic() > until:
                raise
            await asyncio.sleep(POLL_SECONDS)


def _counts(result: Mapping[str, object], spaces: Sequence[SpaceId]) -> Mapping[SpaceId, int]:
    counts: dict[SpaceId, int] = {}
    for space in spaces:
        count = result.get(space)
        if not isinstance(count, int):
            raise CommandError(f"the service says nothing of space {space}", "run it again")
        counts[space] = count
    return counts
