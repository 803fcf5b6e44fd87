"""The parent of several workers: starts them, replaces one that dies, stops them together.

All listen on one socket, which the parent opened and keeps: a connection that no worker has taken
yet waits there whichever of them dies, and each takes one when it is free to. The parent answers
nothing itself.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog

from edge.http_server import address_of, listen
from edge.settings import EdgeSettings
from edge.stopping import stop_signal, unless
from edge.workers.slot import Slot, WorkerFailed

_log = structlog.get_logger("edge.workers")


async def supervise(settings: EdgeSettings, count: int) -> int:
    """Run `count` workers until SIGTERM or SIGINT; the exit code is 0 if all of them ended well.

    If one cannot start in the beginning, all are stopped and the code is its own; it has said why.
    Raises StartRefused if the address cannot be listened on.
    """
    slots: list[Slot] = []

    def insist(number: signal.Signals) -> None:
        for slot in slots:
            slot.send(number)

    stop = stop_signal(at_once=insist)
    with ExitStack() as stack:
        metrics = stack.enter_context(tempfile.TemporaryDirectory(prefix="facesearch-edge-"))
        listening = stack.enter_context(listen(settings.host, settings.port))
        address = address_of(listening)
        _log.info("listening", workers=count, **address)
        slots += [Slot(number, listening, Path(metrics)) for number in range(1, count + 1)]
        try:
            if await unless(stop, _started(slots)):
                _log.info("serving", workers=count, **address)
                await _kept(slots, stop)
        except WorkerFailed as failure:
            await _stopped(slots)
            return failure.exit_code
        # What connects from now on is refused once the last worker has closed the socket too.
        listening.close()
        codes = await _stopped(slots)
    _log.info("stopped")
    return next((code for code in codes if code), 0)


async def _started(slots: Sequence[Slot]) -> bool:
    """Start them; returns when all serve. Raises WorkerFailed."""
    # What keeps one from starting keeps all: it is said once. And it makes what all of them need.
    await slots[0].start(is_first=True)
    await asyncio.gather(*(slot.start() for slot in slots[1:]))
    return True


async def _kept(slots: Sequence[Slot], stop: asyncio.Event) -> None:
    keeping = [asyncio.create_task(slot.keep()) for slot in slots]
    try:
        await stop.wait()
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)


async def _stopped(slots: Sequence[Slot]) -> list[int]:
    return list(await asyncio.gather(*(slot.stop() for slot in slots)))
