"""Being told to stop: the first signal asks, the second one insists."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import TypeVar

import structlog

T = TypeVar("T")

_log = structlog.get_logger("edge.stopping")


def stop_signal(*, at_once: Callable[[signal.Signals], None] | None = None) -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT. A second one ends the process, after `at_once`."""
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            _log.warning("stopped_at_once", signal=number.name)
            if at_once is not None:
                at_once(number)
            os._exit(128 + number)
        _log.info("stopping", signal=number.name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop


async def unless(stop: asyncio.Event, work: Coroutine[object, object, T]) -> T | None:
    """The result of `work`; None if the stop came first."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
