"""A Milvus server (`milvus-lite server`) with an HNSW index over what was flushed."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from pathlib import Path

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from bench.kit.child import StartFailed
from bench.kit.world import World
from bench.rollout.process import Process

_START_SECONDS = 60.0
_LOAD_SECONDS = 120.0
_POLL_SECONDS = 0.05

SETTINGS = {
    "STORAGE_VECTORS_INDEX": "HNSW",
    "STORAGE_VECTORS_INDEX_PARAMS": json.dumps({"M": 16, "efConstruction": 200}),
    "STORAGE_VECTORS_SEARCH_PARAMS": json.dumps({"ef": 128}),
}


class Milvus:
    """Vectors for several edges, on a port of loopback."""

    def __init__(self, folder: Path, port: int, world: World) -> None:
        folder.mkdir()
        self.folder = folder
        self._port = port
        address = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder)]
        self.process = Process(
            "milvus",
            # One thread: its threads write to one log without a lock (3.2.2), and what two of them
            # wrote at once cannot be read again.
            [sys.executable, "-m", "milvus_lite", "server", *address, "--max-workers", "1"],
            world,
            {},
            # It ends in order on Ctrl-C alone; SIGTERM is as kill -9 to it.
            stop_signal=signal.SIGINT,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Returns when it takes connections. Raises StartFailed."""
        self.process.start()
        end = time.monotonic() + _START_SECONDS
        while not self._is_listening():
            if not self.process.is_running or time.monotonic() > end:
                raise StartFailed(f"Milvus did not start:\n{self.process.output[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def index(self) -> int:
        """Write out all that is in memory, index it and load it; how many index files there are.

        Lite compares what is in memory row by row, and would write it out at 128 MB.
        """
        # pymilvus pings every ten seconds, which this server takes for too many.
        options = {"grpc.keepalive_time_ms": 2**31 - 1}
        client = MilvusClient(self.url, timeout=_LOAD_SECONDS, grpc_options=options)
        try:
            for space in client.list_collections():
                client.release_collection(space)
                client.flush(space)
                self._load(client, space)
        finally:
            client.close()
        return len(list(self.folder.rglob("*.hnsw.idx")))

    def _load(self, client: MilvusClient, space: str) -> None:
        end = time.monotonic() + _LOAD_SECONDS
        while True:
            try:
                client.load_collection(space)
            except MilvusException:
                # Segments are merged in the background, their indexes written in place: a load
                # that meets one half-written fails.
                if time.monotonic() > end:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _is_listening(self) -> bool:
        with socket.socket() as client:
            client.settimeout(0.5)
            return client.connect_ex(("127.0.0.1", self._port)) == 0
