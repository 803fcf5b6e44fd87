"""A caller who goes in the middle of a write leaves nothing locked."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Generator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storage.records.engines import sqlite_url
from storage.records.sql import SqlRecordStore


class LeavingAt:
    """Awaits something, and cancels its own task when that waits for the nth time."""

    def __init__(self, awaited: Coroutine[Any, Any, object], wait: int) -> None:
        self._awaited = awaited
        self._waits_left = wait

    def __await__(self) -> Generator[Any, Any, object]:
        steps = self._awaited.__await__()
        go_on = partial(next, steps)
        while True:
            try:
                step = go_on()
            except StopIteration as end:
                return end.value
            if self._waits_left == 0:
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
            self._waits_left -= 1
            try:
                go_on = partial(steps.send, (yield step))
            except BaseException as error:  # noqa: BLE001  # handed on to what is awaited
                go_on = partial(steps.throw, error)

    @property
    def has_left(self) -> bool:
        return self._waits_left < 0


@pytest.fixture
def without_collection() -> Iterator[None]:
    """What the traceback of a cancellation holds stays, as in a process between two collections."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collection")
async def test_whoever_writes_next_does_not_wait(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "records.sqlite")
    records = await SqlRecordStore.open(url, timeout_seconds=2.0)
    other = await SqlRecordStore.open(url, timeout_seconds=2.0)
    waits = 0
    while True:
        leaving = LeavingAt(records.take_lease("sweep", "a", 60.0), waits)

        async def write(leaving: LeavingAt = leaving) -> None:
            await leaving

        with suppress(asyncio.CancelledError):
            await asyncio.create_task(write())
        assert await records.take_lease("sweep", "a", 60.0)
        assert await other.take_lease("jobs", "b", 60.0)
        if not leaving.has_left:
            break
        waits += 1
    assert waits >= 5  # its beginning, its statement, its rows, its end
    await records.close()
    await other.close()
