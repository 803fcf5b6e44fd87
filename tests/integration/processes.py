"""Real processes for tests: `python -m inference`, `python -m edge`, any that says "serving".

    with start_inference(pack=pack_dir) as inference:
        with start("edge", {"EDGE_INFERENCE_TARGETS": inference.address, ...}) as edge:
            httpx.get(f"{edge.url}/ping")

A `Running` knows the fields of the line that said "serving" (`.ready`, `.port`, `.address`), every
line that was written (`.lines("stderr")`, `.events("request")`), and how to be ended
(`.terminate()`, `.kill()`, `.send(SIGTERM)`, `.wait()`). Leaving the `with` block kills the process
and everything it started, whatever happened inside.

The environment of a started process is the present one without any INFERENCE_, EDGE_, STORAGE_ or
API_KEY variable, plus what the test gives: a developer's own settings never leak into a test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from tests.contract.frozen import freeze

ROOT = Path(__file__).resolve().parents[2]
OUR_PREFIXES = ("INFERENCE_", "EDGE_", "STORAGE_", "API_KEY")
START_SECONDS = 90.0
"""Generous: a test machine may be busy with other things."""

Stream = Literal["stdout", "stderr"]
Fields = dict[str, object]


class NotServing(AssertionError):
    """The process ended, or time ran out, before it said what was waited for."""


class Running:
    """A process that was started, and what it wrote so far."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.command = list(command)
        self._changed = threading.Condition()
        self._lines: list[tuple[Stream, str]] = []
        self._process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # Its own group, so that what it starts can be ended with it.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            self._read("stdout", self._process.stdout),
            self._read("stderr", self._process.stderr),
        ]
        self.ready: Fields = {}
        """Fields of the line with event "serving"; empty until it came."""

    def _read(self, stream: Stream, pipe: IO[str]) -> threading.Thread:
        def read() -> None:
            with pipe:
                for line in pipe:
                    with self._changed:
                        self._lines.append((stream, line.rstrip("\n")))
                        self._changed.notify_all()
            with self._changed:
                self._changed.notify_all()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        """The port it serves on."""
        port = self.ready["port"]
        assert isinstance(port, int)
        return port

    @property
    def address(self) -> str:
        """As a gRPC target: 127.0.0.1:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """For HTTP: http://127.0.0.1:port."""
        return f"http://{self.address}"

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def lines(self, stream: Stream | None = None) -> list[str]:
        """What it wrote so far, to one stream or to both."""
        with self._changed:
            return [line for of, line in self._lines if stream in (None, of)]

    def text(self) -> str:
        """Everything it wrote so far, for a failing test to show."""
        return "\n".join(self.lines())

    def events(self, event: str) -> list[Fields]:
        """The JSON log lines with this event, so far."""
        return [fields for fields in map(_fields, self.lines()) if fields.get("event") == event]

    def wait_for_event(
        self, event: str, seconds: float = START_SECONDS, **having: object
    ) -> Fields:
        """The first log line with this event, and these fields if any are given; waits for it.

        Raises:
            NotServing: the process ended or time ran out first; says what was written.
        """
        end = time.monotonic() + seconds
        with self._changed:
            seen = 0
            while True:
                for _, line in self._lines[seen:]:
                    seen += 1
                    fields = _fields(line)
                    if fields.items() >= ({"event": event} | having).items():
                        return fields
                if not any(reader.is_alive() for reader in self._readers):
                    raise NotServing(f"{self.command} ended without {event!r}:\n{self._all()}")
                left = end - time.monotonic()
                if left <= 0:
                    raise NotServing(f"no {event!r} within {seconds} s:\n{self._all()}")
                # Wakes by itself too: a reader's last act is not announced under the condition.
                self._changed.wait(min(left, 0.5))

    def _all(self) -> str:
        return "\n".join(line for _, line in self._lines)

    def wait_until_serving(self, seconds: float = START_SECONDS) -> None:
        """Return when it said "serving"; its fields are in `ready` from then on."""
        self.ready = self.wait_for_event("serving", seconds)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, not to what it started."""
        if number is signal.SIGSTOP:
            freeze(self._process.pid)
        else:
            self._process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        """Its exit code; waits for the end and for the last line it wrote.

        Raises:
            NotServing: it did not end; says what was written, and where each of its threads is.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            # Python's own handler of it writes the stacks.
            self._process.send_signal(signal.SIGABRT)
            self._process.wait()
            for reader in self._readers:
                reader.join(seconds)
            msg = f"{self.command} did not end within {seconds} s:\n{self._all()}"
            raise NotServing(msg) from error
        for reader in self._readers:
            reader.join(seconds)
        return code

    def terminate(self, seconds: float = 60.0) -> int:
        """SIGTERM, and its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to it and to everything it started (kill -9: nothing is tidied up)."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _fields(line: str) -> Fields:
    if not line.startswith("{"):
        return {}
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The present environment without settings of ours, plus `extra`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OUR_PREFIXES)}
    return kept | {"PYTHONFAULTHANDLER": "1"} | dict(extra)


@contextmanager
def run(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Running]:
    """Any command, started; killed with everything it started on leaving the block."""
    process = Running(command, clean_environment(env))
    try:
        yield process
    finally:
        process.kill()


@contextmanager
def start(
    module: str,
    env: Mapping[str, str],
    arguments: Sequence[str] = (),
    *,
    seconds: float = START_SECONDS,
) -> Iterator[Running]:
    """`python -m module`, serving. `env` is added to the cleaned environment."""
    with run([sys.executable, "-m", module, *arguments], env) as process:
        process.wait_until_serving(seconds)
        yield process


def inference_environment(pack: Path, **settings: str) -> dict[str, str]:
    """Settings of a small inference server on a free port; `settings` without the prefix."""
    own = {"PORT": "0", "METRICS_PORT": "0", "PACK": str(pack), "SESSIONS": "1"} | settings
    return {f"INFERENCE_{name}": value for name, value in own.items()}


@contextmanager
def start_inference(pack: Path, **settings: str) -> Iterator[Running]:
    """An inference server with this pack, serving: start_inference(pack, MAX_ITEMS="4")."""
    with start("inference", inference_environment(pack, **settings)) as process:
        yield process
