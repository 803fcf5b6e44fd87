"""Ports that end the process at one step: the fault hook of the crash tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Crash:
    """Where to end the process: "vectors.add:after:3" ends it after the third vectors.add."""

    port: str
    method: str
    moment: str
    call: int

    @classmethod
    def parse(cls, text: str) -> Crash:
        """From "port.method:before|after:n"."""
        place, moment, call = text.split(":")
        port, method = place.split(".")
        return cls(port, method, moment, int(call))


class CrashingPort:
    """A port whose process is killed (kill -9: nothing is tidied up) at the step of a Crash."""

    def __init__(self, name: str, inner: object, crash: Crash) -> None:
        self._name = name
        self._inner = inner
        self._crash = crash
        self._calls = 0

    def __getattr__(self, method: str) -> object:
        attribute = getattr(self._inner, method)
        if (self._name, method) != (self._crash.port, self._crash.method):
            return attribute
        call = cast("Callable[..., Awaitable[Any]]", attribute)

        async def crashing(*args: Any, **kwargs: Any) -> Any:
            self._calls += 1
            is_due = self._calls == self._crash.call
            if is_due and self._crash.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = await call(*args, **kwargs)
            if is_due:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return crashing
