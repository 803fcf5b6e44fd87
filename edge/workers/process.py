"""The parent's side of one worker: a process, and the line it answers on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Self

from edge.workers.worker import said_serving


class WorkerProcess:
    """One worker, running."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self._process = process
        # Closed only when the worker has ended: it takes the end of the line for ours.
        self._line = line

    @classmethod
    async def start(
        cls,
        number: int,
        listening: socket.socket,
        environment: Mapping[str, str],
        *,
        is_first: bool,
    ) -> Self:
        """Start it; returns at once. environment: over the present one."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        # -P as we were started: a folder called "edge" where the user happens to be is not ours.
        flags = ["-P"] if sys.flags.safe_path else []
        descriptors = (listening.fileno(), theirs.fileno())
        arguments = [str(value) for value in (number, *descriptors, int(is_first))]
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *flags, "-m", "edge.worker", *arguments),
                env={**os.environ, **environment},
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=descriptors,
                # Ctrl-C reaches the parent alone, which then stops its workers.
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def serving(self) -> bool:
        """Whether it came to answer requests; False: it ended before."""
        return await said_serving(self._line)

    async def ended(self) -> int:
        """Its exit code, negative for a signal, once it has ended."""
        code = await self._process.wait()
        self._line.close()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended already is fine."""
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return
