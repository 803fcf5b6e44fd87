"""Stopping: a signal or a time limit ends a run between two steps, with a checkpoint."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Stop:
    """Says when a run is to end. SIGTERM and SIGINT ask for it; so does a limit in minutes."""

    def __init__(self, minutes: float | None = None) -> None:
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self._asked = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a wish to end after the step under way."""
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def is_due(self) -> bool:
        """Whether the run is to end now."""
        return self._asked or (self._deadline is not None and time.monotonic() >= self._deadline)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked = True
