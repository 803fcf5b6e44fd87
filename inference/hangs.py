"""When a run has taken so long that it is taken to hang, and what that means for the process.

A thread inside a native call cannot be ended. So its items fail, and the thread is left behind with
its session and replaced. Each one left behind keeps its memory, so only so many may be: then the
process says that it no longer serves, and ends, and whoever supervises it starts another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_RUN_SECONDS = 30.0
"""Longer than any request may take, and a hundred times what a large photo does."""
MOST_LEFT_BEHIND = 4
"""Threads that may hang at once before the process gives up."""
LOOKS = 4
"""At how many looks in a row a worker is found at the same point before it is taken to hang. They
are counted, not timed: a process that was stopped for a while finds nobody guilty."""
PATIENCE_WITH_MAKING = 4
"""How many times longer than a run it may take to make a session again. TensorRT without its cache
needs longer; then the process ends, and the next one takes all the time it wants at its start."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a worker is."""

    number: int
    """Grows with every step."""
    is_making: bool
    """Whether it makes a runner, and does not run one."""


@dataclass(slots=True)
class Patience:
    """With one batch of one worker."""

    _point: Point | None = None
    _looks: int = 0

    def is_over(self, point: Point | None) -> bool:
        """Whether the worker was seen here too often; None: it is at no item just now.

        To be asked at equal intervals, LOOKS of them for a run.
        """
        if point is None or point != self._point:
            self._point = point
            self._looks = 0
            return False
        self._looks += 1
        return self._looks >= LOOKS * (PATIENCE_WITH_MAKING if point.is_making else 1)


class Hangs:
    """The threads of a process that were left behind. Owned by the event loop."""

    def __init__(
        self, most: int = MOST_LEFT_BEHIND, *, on_too_many: Callable[[], None] = lambda: None
    ) -> None:
        """on_too_many: called when the process should end."""
        self._most = most
        self._on_too_many = on_too_many
        self._count = 0
        self.were_too_many = False
        """Whether the process should end, or has ended for that."""

    @property
    def count(self) -> int:
        """How many hang now."""
        return self._count

    def left(self) -> None:
        """One more was left behind."""
        self._count += 1
        if self._count >= self._most:
            self.were_too_many = True
            self._on_too_many()

    def returned(self) -> None:
        """One came back after all, and has ended."""
        self._count -= 1
