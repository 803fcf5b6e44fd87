"""The stores that the service is started with."""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

from bench.acceptance.postgres import started_postgres
from bench.kit.child import Setting, started
from bench.kit.postgres import postgres_binaries, version_of
from bench.kit.world import World

_MEMTABLE_BYTES = 65_536
"""What was written since its last flush the served Milvus Lite compares in Python."""


class Records(StrEnum):
    """Where records lie."""

    AUTO = "auto"
    """PostgreSQL where it is installed, else SQLite."""
    SQLITE = "sqlite"
    """As `facesearch up` has them."""


class Vectors(StrEnum):
    """Where vectors lie."""

    LITE = "lite"
    """Milvus Lite in the edge's folder, held in memory for searches: one machine, one edge."""
    SERVER = "server"
    """A Milvus server on loopback. There is none to install, so it is that of Milvus Lite, in
    Python: good for what is right, not for how fast."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Stores that run."""

    settings: Mapping[str, Setting]
    """Of the edge."""
    described: Mapping[str, str]
    """What they are, by what they keep."""
    note: str = ""
    """What is not as it should be."""


@contextmanager
def started_stores(records: Records, vectors: Vectors, world: World) -> Iterator[Stores]:
    """Records and vectors as asked, photos in a folder. Raises StartFailed."""
    settings: dict[str, Setting] = {}
    described: dict[str, str] = {"photos": "a folder"}
    note = ""
    with ExitStack() as stack:
        binaries = postgres_binaries()
        if records is Records.SQLITE:
            described["records"] = "SQLite"
        elif binaries is None:
            described["records"] = "SQLite"
            note = "PostgreSQL is not installed here (Debian: postgresql): records are in SQLite."
        else:
            url = stack.enter_context(started_postgres(binaries, world))
            settings["STORAGE_RECORDS_URL"] = url
            described["records"] = version_of(binaries)
        if vectors is Vectors.SERVER:
            settings["STORAGE_VECTORS_URL"] = stack.enter_context(_started_milvus(world))
            settings["STORAGE_VECTORS_INDEX"] = "HNSW"
            # So that a check finds at once what it put in.
            settings["STORAGE_VECTORS_CONSISTENCY"] = "strong"
            described["vectors"] = f"milvus-lite {version('milvus-lite')} as a server, HNSW"
        else:
            described["vectors"] = f"milvus-lite {version('milvus-lite')}, held in memory"
        yield Stores(settings, described, note)


@contextmanager
def _started_milvus(world: World) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        port = _free_port()
        command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", folder]
        # Several of its threads write to one log without a lock (3.2.2).
        command += ["--host", "127.0.0.1", "--port", str(port), "--max-workers", "1"]
        settings = {"MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": _MEMTABLE_BYTES}
        with started("milvus", command, world, settings) as server:
            server.until_listening(port)
            yield f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
