"""One bar after the other."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import TaskID

from cli.progress import progress


class Steps:
    """The steps of a long command, each with a bar of its own. Used by `with`."""

    def __init__(self) -> None:
        self._bar = progress("items")
        self._task: TaskID | None = None
        self._total: int | None = None

    def begin(self, description: str, total: int | None) -> None:
        """The next step; the bar of the last one goes."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._total = total
        self._task = self._bar.add_task(description, total=total)

    def advance(self, done: int, total: int | None) -> None:
        """So much is done; `total` where it was not known at the beginning."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=self._total or total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()
