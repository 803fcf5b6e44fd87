"""A Milvus server of the test's own: `milvus-lite server` on a free port of this machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.contract.frozen import freeze

_START_SECONDS = 60.0


class MilvusProcess:
    """Started by `with`; may be killed and started again on the same port and folder."""

    def __init__(self, folder: Path, *, max_workers: int | None = None) -> None:
        """`max_workers`: threads that answer; None: its own default."""
        self._folder = folder
        self._max_workers = max_workers
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(self._folder)]
        address = ["--host", "127.0.0.1", "--port", str(self._port)]
        if self._max_workers is not None:
            address += ["--max-workers", str(self._max_workers)]
        self._process = subprocess.Popen(
            [*command, *address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError("milvus-lite server did not start")
            time.sleep(0.05)  # there is no other sign that it listens

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def send(self, sent: signal.Signals) -> None:
        assert self._process is not None
        if sent is signal.SIGSTOP:
            freeze(self._process.pid)
        else:
            self._process.send_signal(sent)

    def _is_listening(self) -> bool:
        with socket.socket() as client:
            client.settimeout(0.5)
            return client.connect_ex(("127.0.0.1", self._port)) == 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
