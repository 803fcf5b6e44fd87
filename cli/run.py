"""Running a command's coroutine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

import typer

T = TypeVar("T")

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[object, object, T]) -> T:
    """The result of `work`. SIGTERM and SIGHUP cancel it, as Ctrl-C does: what it opened is closed.

    Exit codes are the shell's: 128 and the number of the signal.
    """
    return asyncio.run(_until_told(work))


async def _until_told(work: Coroutine[object, object, T]) -> T:
    received: list[signal.Signals] = []
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def end(number: signal.Signals) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    for number in _ENDING:
        loop.add_signal_handler(number, end, number)
    try:
        return await work
    except asyncio.CancelledError:
        if not received:
            raise
        raise typer.Exit(128 + received[0]) from None
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)
