"""A process of the rehearsal: started, stopped, killed and frozen as a cluster does it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from bench.kit import process_tree
from bench.kit.child import Child, Setting, StartFailed, started
from bench.kit.world import World

_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02


class Process:
    """One process, which may be started again under the same settings.

    To be used from the main thread, as `bench.kit.child.started`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        world: World,
        settings: Mapping[str, Setting],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """command: its first word is the path of a program. stop_signal: asks it to end."""
        self.name = name
        self._command = command
        self._world = world
        self._settings = settings
        self._stop_signal = stop_signal
        self._stack = ExitStack()
        self._child: Child | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is there and has not ended; one that is frozen runs."""
        return self._child is not None and process_tree.is_running(self._child.pid)

    @property
    def output(self) -> str:
        """All that it wrote in this life. Raises StartFailed if there is none."""
        return self._living.log.read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it; whether it serves is another matter."""
        self._child = self._stack.enter_context(
            started(self.name, self._command, self._world, self._settings)
        )

    def ask_to_end(self) -> None:
        """Send what it takes for a stop in order; returns at once."""
        self._send(self._stop_signal)

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        self._send(signal.SIGKILL)
        self.end()

    def end_at_once(self) -> None:
        """Send SIGKILL; returns at once, and `ended` says -9."""
        self._send(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: its connections stay, and nothing is answered."""
        self._send(signal.SIGSTOP)

    def ended(self) -> int:
        """Its exit code, negative for a signal; returns once it has ended."""
        code = self._living.ended()
        self.end()
        return code

    def end(self) -> None:
        """Be sure that it is gone."""
        if self.is_running:
            self._send(signal.SIGCONT)
            if self._stop_signal is not signal.SIGTERM:  # which the child is sent on leaving
                self._send(self._stop_signal)
                self._wait()
        self._child = None
        self._stack.close()

    def _wait(self) -> None:
        end = time.monotonic() + _STOP_SECONDS
        while self.is_running and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    @property
    def _living(self) -> Child:
        if self._child is None:
            raise StartFailed(f"{self.name} is away")
        return self._child

    def _send(self, number: signal.Signals) -> None:
        os.kill(self._living.pid, number)
