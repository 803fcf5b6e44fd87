"""One child process that logs JSON lines and says when it serves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Self

from cli.errors import CommandError, ExitCode

LogLine = Mapping[str, object]
_KEPT_LINES = 20
_MAX_LINE_BYTES = 1 << 20


class ChildEnded(CommandError):
    """A child ended on its own. The message carries its last words."""


class Child:
    """`python -m module` with its environment, in a session of its own.

    In a session of its own, Ctrl-C reaches only the parent, which then stops its children in the
    right order. `on_line` hears every line the child writes, with the child's name before it; but
    not the line with which it ends, if that says why ("edge: ..."): `death` says it.
    """

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, on_line: Callable[[str, str], None]
    ) -> None:
        self.name = name
        self._process = process
        self._on_line = on_line
        self._last = deque[str](maxlen=_KEPT_LINES)
        # The line that says "serving"; None: it ended without.
        self._serving: asyncio.Future[LogLine | None] = asyncio.Future()
        self._reading = asyncio.create_task(self._read(), name=f"read {name}")

    @classmethod
    async def start(
        cls, module: str, environment: Mapping[str, str], on_line: Callable[[str, str], None]
    ) -> Self:
        """Start it; returns at once."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: a folder called "edge" where the user happens to be is not our module.
            *("-P", "-m", "cli.running.launcher", str(os.getpid()), module),
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=_MAX_LINE_BYTES,
        )
        return cls(module, process, on_line)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def serving(self) -> LogLine:
        """The fields of the line that says so. Raises ChildEnded if it ends before."""
        fields = await asyncio.shield(self._serving)
        if fields is None:
            raise self.death()
        return fields

    async def ended(self) -> int:
        """Its exit code, once it has ended and all it wrote was read."""
        await asyncio.shield(self._reading)
        return await self._process.wait()

    def death(self) -> ChildEnded:
        """Why it ended, as an error. To be called when it has."""
        code = self._process.returncode or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        words = self._last_words()
        return ChildEnded(
            f"{self.name} ended {how}" + (f": {words}" if words else ""),
            exit_code=128 - code if code < 0 else code or int(ExitCode.UNAVAILABLE),
        )

    async def stop(self, timeout_seconds: float) -> None:
        """SIGTERM, and SIGKILL if that did not do or nobody wants to wait (cancelled).

        Returns when it has ended; one that has ended already is fine.
        """
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.ended()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.ended()
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)
            raise

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return  # it ended this very moment

    async def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            raise RuntimeError("the child's output is not a pipe")
        held: str | None = None
        while raw := await _line(stream):
            text = raw.decode("utf-8", "replace").rstrip("\n")
            self._last.append(text)
            if held is not None:  # it was not the end
                self._on_line(self.name, held)
                held = None
            if text.startswith(f"{self.name}: "):
                held = text
                continue
            fields = log_fields(text)
            if fields.get("event") == "serving" and not self._serving.done():
                self._serving.set_result(fields)
            self._on_line(self.name, text)
        await self._process.wait()
        if not self._serving.done():
            self._serving.set_result(None)

    def _last_words(self) -> str:
        """The last error it logged, or line that is no log line; empty: there was none."""
        for text in reversed(self._last):
            fields = log_fields(text)
            if fields.get("level") in ("error", "critical"):
                return message_of(fields)
            if not fields and text.strip():
                return text.strip().removeprefix(f"{self.name}: ")
        return ""


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; of one that is longer than the limit, only a mark. Empty at the end."""
    try:
        return await stream.readline()
    except ValueError:  # what is too long was dropped from the buffer
        return b"(a line that is too long to show)\n"


def log_fields(text: str) -> LogLine:
    """The fields of a JSON log line; none if it is not one."""
    if not text.startswith("{"):
        return {}
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def message_of(fields: LogLine) -> str:
    """A log line for a reader: what happened, then what is known about it."""
    hidden = {"event", "level", "timestamp", "logger", "exception"}
    said = str(fields.get("event", ""))
    details = ", ".join(f"{key}: {value}" for key, value in fields.items() if key not in hidden)
    return f"{said} ({details})" if details else said
