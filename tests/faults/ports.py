"""Ports that end the process at one step: the fault hook of the crash tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast


@dataclass(frozen=True)
class Crash:
    """Where to end the process: after the first call of a method, once it is armed."""

    port: str
    method: str
    armed: Path
    """A file; the fault waits until it is there."""

    @classmethod
    def parse(cls, place: str, armed: Path) -> Crash:
        """From "port.method"."""
        port, method = place.split(".")
        return cls(port, method, armed)


class CrashingPort:
    """A port whose process is killed (kill -9: nothing is tidied up) at the step of a Crash."""

    def __init__(self, name: str, inner: object, crash: Crash) -> None:
        self._name = name
        self._inner = inner
        self._crash = crash

    def __getattr__(self, method: str) -> object:
        attribute = getattr(self._inner, method)
        if (self._name, method) != (self._crash.port, self._crash.method):
            return attribute
        call = cast("Callable[..., Awaitable[Any]]", attribute)

        async def crashing(*args: Any, **kwargs: Any) -> Any:
            is_due = self._crash.armed.exists()
            result = await call(*args, **kwargs)
            if is_due:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return crashing
