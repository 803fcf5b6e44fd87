"""A Milvus server for an edge to search in: `milvus-lite server`, which is one to its clients."""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from bench.kit.child import started
from bench.kit.world import World


@contextmanager
def milvus(world: World) -> Iterator[str]:
    """Its URL, once it takes connections. Raises StartFailed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", folder]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        with started("milvus", command, world, {}) as child:
            child.until_listening(port)
            yield f"http://127.0.0.1:{port}"
