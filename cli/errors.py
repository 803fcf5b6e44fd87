"""How a command ends, and what it says when it cannot do what was asked.

Exit codes: 0 done; 1 done, and something needs a look (it is listed); 2 not understood: flags,
settings, files; 3 not possible now: the service, a store, a pack or the network is away;
130 stopped with Ctrl-C. `facesearch up` ends with the code of the process that failed.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    ATTENTION = 1
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot go on: one line that says why, and one that says what to do."""

    def __init__(
        self, message: str, todo: str = "", *, exit_code: int = ExitCode.UNAVAILABLE
    ) -> None:
        super().__init__(message)
        self.todo = todo
        self.exit_code = int(exit_code)


class UsageError(CommandError):
    """What was asked for makes no sense as it stands."""

    def __init__(self, message: str, todo: str = "") -> None:
        super().__init__(message, todo, exit_code=ExitCode.USAGE)
