"""The place of one worker: filled again when whoever has it dies."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import structlog
from prometheus_client.multiprocess import mark_process_dead

from edge.workers.process import WorkerProcess

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers count, so that /metrics of any of them tells the figures of all."""

_LONGEST_WAIT_SECONDS = 30.0

_log = structlog.get_logger("edge.workers")


class WorkerFailed(Exception):
    """A worker ended before it served."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a worker ended with code {code} before it served")
        self.exit_code = 128 - code if code < 0 else code or 1


class Slot:
    """One worker at a time, always with the same number."""

    def __init__(self, number: int, listening: socket.socket, metrics: Path) -> None:
        """metrics: the folder where the workers count."""
        self._number = number
        self._listening = listening
        self._metrics = metrics
        self._worker: WorkerProcess | None = None
        self._has_served = False

    async def start(self, *, is_first: bool = False) -> None:
        """Start a worker; return when it serves. Raises WorkerFailed; it has said why.

        is_first: nobody answers yet.
        """
        self._has_served = False
        counting = {METRICS_FOLDER: str(self._metrics)}
        self._worker = await WorkerProcess.start(
            self._number, self._listening, counting, is_first=is_first
        )
        self._has_served = await self._worker.serving()
        if not self._has_served:
            raise WorkerFailed(await self._ended())

    async def keep(self) -> None:
        """Start another one whenever it ends; until cancelled."""
        while True:
            code = await self._ended()
            _log.error("worker_ended", worker=self._number, code=code)
            wait_seconds = 0.0
            while not await self._starts_again():
                # What kept it from starting may go away: the others go on meanwhile.
                wait_seconds = min(2 * wait_seconds + 1, _LONGEST_WAIT_SECONDS)
                await asyncio.sleep(wait_seconds)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the worker, if there is one."""
        if self._worker is not None:
            self._worker.send(number)

    async def stop(self) -> int:
        """SIGTERM, and its exit code once it has answered what is in flight; 0: there was none."""
        self.send(signal.SIGTERM)
        code = await self._ended()
        # One that was told before it could listen did nothing that could go wrong.
        return 0 if code == -signal.SIGTERM and not self._has_served else code

    async def _starts_again(self) -> bool:
        try:
            await self.start()
        except WorkerFailed as failure:
            _log.error("worker_not_started", worker=self._number, code=failure.exit_code)
            return False
        return True

    async def _ended(self) -> int:
        if self._worker is None:
            return 0
        code = await self._worker.ended()
        # Takes what it had in flight out of the figures; what it had counted stays.
        mark_process_dead(self._worker.pid, str(self._metrics))  # type: ignore[no-untyped-call]  # untyped there
        return code
