"""One process of a benchmark, from its start to its certain end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.kit.world import ROOT, World

Setting = str | int | float | Path

_BOUND = Path(__file__).with_name("bound.py")
_START_SECONDS = 180.0
_STOP_SECONDS = 40.0
_POLL_SECONDS = 0.005
_LAST_LINES = 10
_HTTP_OK = 200


class StartFailed(Exception):
    """A process ended, or took too long, before it served. Carries its last lines."""


class Child:
    """A process that runs. Its output goes to a file: a pipe would need a reader in the process
    that makes the load."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log
        self._started = time.perf_counter()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> Path:
        """The file with all that it writes; gone when the child is."""
        return self._log

    @property
    def age_seconds(self) -> float:
        """Since it was started."""
        return time.perf_counter() - self._started

    def serving(self) -> dict[str, object]:
        """The fields of its JSON line with the event "serving". Raises StartFailed."""
        while True:
            for line in self._log.read_bytes().splitlines():
                if b'"serving"' in line and line.endswith(b"}"):
                    fields: dict[str, object] = json.loads(line)
                    if fields.get("event") == "serving":
                        return fields
            self._wait("served")

    def announced_url(self, service_file: Path) -> str:
        """The URL that `facesearch up` writes down once it is ready. Raises StartFailed."""
        while not service_file.is_file():
            self._wait("was ready")
        return str(json.loads(service_file.read_text("utf-8"))["url"])

    def until_answering(self, url: str) -> None:
        """Return when a GET answers 200. Raises StartFailed."""
        while not _answers(url):
            self._wait(f"answered {url}")

    def until_listening(self, port: int) -> None:
        """Return when the port of loopback takes connections. Raises StartFailed."""
        self.until(lambda: _listens(port), f"listened on port {port}")

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Return when that is so. what: it, after "the process ended before it …".

        Raises StartFailed.
        """
        while not is_so():
            self._wait(what)

    def ended(self) -> int:
        """Its exit code, once it has ended on its own."""
        return self._process.wait()

    def last_lines(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to it and what it started if that does not do."""
        try:
            if self._process.poll() is None:
                self._process.terminate()
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{self._name} did not end on SIGTERM and is killed", file=sys.stderr)
        finally:
            # Also after an interruption of the waiting, and for what outlived its parent.
            _kill_group(self._process.pid)
            self._process.wait()

    def _wait(self, until: str) -> None:
        if self._process.poll() is not None:
            raise StartFailed(f"{self._name} ended before it {until}:\n{self.last_lines()}")
        if self.age_seconds > _START_SECONDS:
            raise StartFailed(f"{self._name} took too long until it {until}:\n{self.last_lines()}")
        time.sleep(_POLL_SECONDS)


@contextmanager
def started(
    name: str, command: Sequence[str], world: World, settings: Mapping[str, Setting]
) -> Iterator[Child]:
    """A process of the world's source tree; ended on leaving, whatever happened.

    command: its first word is the path of a program. settings: environment variables over the
    present ones.
    """
    checkout = world.checkout or ROOT
    # Over the installed packages, which are of the checkout that the environment was made for.
    path = [str(checkout), str(checkout / "proto"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    environment |= {variable: str(value) for variable, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "output.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                # -I -S: binding takes milliseconds, whatever is installed.
                [sys.executable, "-I", "-S", str(_BOUND), str(os.getpid()), *command],
                cwd=checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the benchmark alone, which ends its processes in order.
                start_new_session=True,
            )
        child = Child(name, process, log)
        try:
            yield child
        finally:
            child.stop()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody is left


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == _HTTP_OK
    except OSError:
        return False
    finally:
        connection.close()
