"""A Milvus server of the test's own, on a free port of this machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.contract.frozen import freeze

_START_SECONDS = 60.0


class MilvusProcess:
    """`milvus-lite server`. Started by `with`; may be killed and started again on the same port and
    folder."""

    scheme = "http"

    def __init__(self, folder: Path, *, max_workers: int | None = None) -> None:
        """`max_workers`: threads that answer; None: its own default."""
        self.folder = folder
        self._max_workers = max_workers
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._port}"

    def start(self) -> None:
        address = ["--data-dir", str(self.folder), "--port", str(self._port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self.command(), *address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError("the Milvus server did not start")
            time.sleep(0.05)  # there is no other sign that it listens

    def command(self) -> Sequence[str]:
        """The module to run and its arguments, but for folder and port."""
        threads = [] if self._max_workers is None else ["--max-workers", str(self._max_workers)]
        return ["milvus_lite", "server", "--host", "127.0.0.1", *threads]

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


class GuardedMilvus(MilvusProcess):
    """The same engine behind a token and TLS, as a cluster is: `milvus_guarded.py`."""

    def __init__(
        self,
        folder: Path,
        *,
        token: str = "",
        certificate: Path | None = None,
        key: Path | None = None,
        client_ca: Path | None = None,
    ) -> None:
        """`client_ca`: whose certificates a client must show."""
        super().__init__(folder)
        self.scheme = "http" if certificate is None else "https"
        told = {
            "--token": token,
            "--certificate": certificate,
            "--key": key,
            "--client-ca": client_ca,
        }
        self._told = [str(part) for pair in told.items() if pair[1] for part in pair]

    def command(self) -> Sequence[str]:
        return ["tests.contract.milvus_guarded", *self._told]
