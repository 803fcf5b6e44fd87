"""The spaces of a base, listed and dropped by a command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.base.audit import command_audit
from cli.base.jobs import POLL_SECONDS, ask_service
from cli.base.records import records_of, settings_of
from cli.errors import CommandError, UsageError
from cli.logs import quiet_logs
from edge.jobs import JOBS_LEASE
from edge.pack_change import DROP_SPACE_JOB
from edge.use_cases.drop_space import DropSpace, NoSuchSpace
from storage.errors import SpaceInUse, StoreLocked
from storage.open import open_stores
from storage.records.model import Space

_START_SECONDS = 30.0
"""How long a service may take from opening the base to running jobs."""


async def stored_spaces(data_dir: Path) -> Sequence[Space]:
    """All spaces, by id."""
    async with records_of(data_dir) as records:
        return await records.spaces()


async def drop_space(data_dir: Path, space: str) -> Mapping[str, object]:
    """Drop one, by whoever has the stores open. Raises CommandError or StorageError."""
    with command_audit() as audit:
        dropped = await _drop(data_dir, space)
        audit.note_done(
            "drop_space", f"{space} is dropped", space=space, pack=str(dropped.get("pack"))
        )
    return dropped


async def _drop(data_dir: Path, space: str) -> Mapping[str, object]:
    until = time.monotonic() + _START_SECONDS
    async with records_of(data_dir) as records:
        while True:
            if await records.lease_held(JOBS_LEASE):
                arguments = {"space": space}
                dropped = await ask_service(
                    records, DROP_SPACE_JOB, arguments, lambda _done, _total: None, name="drop"
                )
                if dropped is not None:
                    return dropped
            try:
                return await _by_itself(data_dir, space)
            except StoreLocked:
                # A service that is starting or stopping: it has the folder, and no lease.
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(POLL_SECONDS)


async def _by_itself(data_dir: Path, space: str) -> Mapping[str, object]:
    quiet_logs()
    async with open_stores(settings_of(data_dir)) as stores:
        try:
            dropped = await DropSpace(stores.vectors, stores.records)(space)
        except NoSuchSpace as error:
            raise UsageError(str(error)) from error
        except SpaceInUse as error:
            raise CommandError(str(error)) from error
    return dropped.as_json()
