"""A Milvus Lite folder: opened by one process, used by one thread.

What Lite does, and what follows (milvus-lite 3.2.2, docs/dependencies.md):

- One writer at a time, and readers miss rows while its memory table is written out: so every call
  runs on one thread, one after another.
- Index files are written in place, and a broken one makes every later load fail: none is made (an
  exact search needs none), and those that another server left are removed before opening.
- A write that fails (a full disk) leaves a torn batch in the write-ahead log. Recovery stops there,
  so whatever is acknowledged *after* it would be lost by the next kill; and a failed flush takes
  its rows out of memory until the log is read again. So after a failed write the folder is closed
  and opened anew: recovery keeps all that was acknowledged and starts a fresh log.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from milvus_lite.server_manager import server_manager_instance
from pymilvus import MilvusClient

from storage.errors import StorageFull, StoreLocked, StoreMisconfigured, VectorsUnavailable
from storage.vectors.milvus_client import FAILURES, connect
from storage.vectors.milvus_errors import translate

T = TypeVar("T")

# A call ends by itself within seconds, even one that writes out the memory table. A deadline that
# passes earlier would let the next write begin while this one still runs.
_TIMEOUT_SECONDS = 300.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Less than that and it is not worth opening the folder again after a write that found it full.
_PROBE_BYTES = 256 * 1_024


class MilvusLite:
    """MilvusCalls on a folder of this machine. Open it with `open`."""

    is_embedded = True

    def __init__(self, path: Path) -> None:
        """`path` ends in .db: that is how pymilvus tells a folder from a server."""
        self._path = path.absolute()
        self._client: MilvusClient | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="milvus-lite")
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the folder, making it if it is new.

        Raises StoreLocked if another process has it and StoreMisconfigured if it cannot work.
        """
        lite = cls(path)
        try:
            await asyncio.get_running_loop().run_in_executor(lite._thread, lite._opened)
        except StorageFull as error:
            await lite.close()
            raise StoreMisconfigured(str(error)) from error
        except BaseException:
            await lite.close()
            raise
        return lite

    async def read(self, call: Callable[[MilvusClient, float], T]) -> T:
        return await self._run(call, writing=False)

    async def write(self, call: Callable[[MilvusClient, float], T]) -> T:
        return await self._run(call, writing=True)

    async def define(self, call: Callable[[MilvusClient, float], T]) -> T:
        return await self._run(call, writing=True)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # Behind all that was begun: the rows in memory go to disk, the lock is given back.
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()

    async def _run(self, call: Callable[[MilvusClient, float], T], *, writing: bool) -> T:
        if self._closed:
            msg = "the vector store is closed"
            raise VectorsUnavailable(msg)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._attempt, call, writing)

    def _attempt(self, call: Callable[[MilvusClient, float], T], writing: bool) -> T:
        try:
            client = self._opened()
        except StorageFull as error:
            if writing:
                raise
            raise VectorsUnavailable(str(error)) from error
        try:
            return call(client, _TIMEOUT_SECONDS)
        except FAILURES as error:
            if writing:
                self._let_go()
            raise translate(error, writing) from error

    def _opened(self) -> MilvusClient:
        if self._client is None:
            self._prepare_folder()
            try:
                self._client = connect(
                    str(self._path), timeout_seconds=_TIMEOUT_SECONDS, keepalive=False
                )
            except FAILURES as error:
                # The cause is in a log of its own only; a second process is the likely one.
                with _locked(self._path):
                    msg = f"Milvus Lite cannot open {self._path}: {translate(error, True)}"
                    raise StoreMisconfigured(msg) from error
        return self._client

    def _let_go(self) -> None:
        if self._client is None:
            return
        client, self._client = self._client, None
        client.close()
        # Closing the client leaves the engine running, and the folder locked.
        server_manager_instance.release_server(str(self._path))

    def _prepare_folder(self) -> None:
        if self._path.is_file():
            msg = f"{self._path} is a file: Milvus Lite 3 keeps a folder there; move it away"
            raise StoreMisconfigured(msg)
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._path) as probe:
                probe.write(bytes(_PROBE_BYTES))
                probe.flush()
        except OSError as error:
            if error.errno in _FULL:
                msg = f"no room in {self._path}: {error.strerror}"
                raise StorageFull(msg) from error
            msg = f"{self._path} cannot be written to: {error.strerror}"
            raise StoreMisconfigured(msg) from error
        with _locked(self._path):
            for index in self._path.glob("**/*.idx"):
                index.unlink()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds Lite's own lock. Raises StoreLocked if somebody else does."""
    lock = os.open(path / "LOCK", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        msg = (
            f"{path} is open in another process: stop that one,"
            " or use a Milvus server (STORAGE_VECTORS_URL) for several"
        )
        raise StoreLocked(msg) from error
    else:
        yield
    finally:
        os.close(lock)
