"""A process that is started again when it ends, as an operator's supervisor would."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.kit import process_tree
from bench.kit.child import Child, Setting, StartFailed, started
from bench.kit.world import World


@dataclass(slots=True)
class Life:
    """Memory of one process id, from its start to its end."""

    samples: list[tuple[float, int]] = field(default_factory=list)
    """(time.monotonic(), bytes resident)."""


class Supervised:
    """One process under the same name, port and folder, however often it is started.

    To be used from the main thread, as `bench.kit.child.started`.
    """

    def __init__(
        self, name: str, command: Sequence[str], world: World, settings: Mapping[str, Setting]
    ) -> None:
        self.name = name
        self.lives: list[Life] = []
        self.ended_by_itself: list[str] = []
        """Last lines of each time it ended and nobody had killed it."""
        self._command = command
        self._world = world
        self._settings = settings
        self._stack = ExitStack()
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The process that runs. Raises StartFailed if it is away."""
        if self._child is None:
            raise StartFailed(f"{self.name} is away")
        return self._child

    def start(self) -> None:
        """Start it; whether it serves is another matter."""
        self._child = self._stack.enter_context(
            started(self.name, self._command, self._world, self._settings)
        )
        self.lives.append(Life())

    def kill(self) -> None:
        """kill -9, and leave it so."""
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGKILL)
            self._child = None
            self._stack.close()

    def freeze(self) -> None:
        """SIGSTOP."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT, if it is there."""
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGCONT)

    def supervise(self) -> None:
        """Start it again if it ended; to be called often."""
        if self._child is not None and not process_tree.is_running(self._child.pid):
            self.ended_by_itself.append(f"{self.name}: {self._child.last_lines()}")
            self._child = None
            self._stack.close()
            self.start()

    def sample(self) -> None:
        """Write down what memory it has now."""
        if self._child is not None:
            resident = process_tree.rss_bytes(self._child.pid)
            if resident:
                self.lives[-1].samples.append((time.monotonic(), resident))

    def end(self) -> None:
        """SIGTERM, and wait."""
        self.thaw()
        self._child = None
        self._stack.close()
