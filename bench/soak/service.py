"""The service that the soak is about: a Milvus server, two inference servers, an edge."""

from __future__ import annotations

import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kit.processes import API_KEY, Service, Setting
from bench.kit.world import ROOT, World
from bench.soak.faults import Fault, Kind
from bench.soak.supervised import Supervised

_FSYNC_SECONDS = "1.0"
_STORE_TIMEOUT_SECONDS = "2"
_HOOK = Path(__file__).with_name("slow_disk")


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that is under way."""

    undo: Callable[[], object]
    """Ends it; a process that was killed is started anew."""
    is_over: Callable[[], bool] = lambda: True
    """Whether it is over, once it is undone."""


@dataclass(frozen=True, slots=True)
class SoakedService:
    """All processes, and the data they work on."""

    milvus: Supervised
    milvus_port: int
    inferences: tuple[Supervised, Supervised]
    addresses: tuple[str, str]
    """Of the inference servers, host:port."""
    edge: Supervised
    url: str
    data: Path
    storage_settings: Mapping[str, str]
    """Of the edge, and of every other process that opens its stores."""
    slow_disk: Path
    """While this file is there, the disk of the edge is slow."""

    @property
    def processes(self) -> tuple[Supervised, ...]:
        return (self.milvus, *self.inferences, self.edge)

    @property
    def as_service(self) -> Service:
        """The edge that runs now."""
        address = self.url.removeprefix("http://")
        return Service("edge", self.edge.child.pid, address, self.url, api_key=API_KEY)

    def until_ready(self) -> None:
        """Return when the edge says that everything is well. Raises StartFailed."""
        self.edge.child.until_answering(f"{self.url}/readyz")

    def victim(self, fault: Fault) -> str:
        """What a fault is about, by name."""
        match fault.kind:
            case Kind.INFERENCE_KILLED | Kind.INFERENCE_STOPPED:
                return self.inferences[fault.inference].name
            case Kind.EDGE_KILLED | Kind.EDGE_STOPPED:
                return self.edge.name
            case Kind.STORE_AWAY | Kind.STORE_STOPPED:
                return self.milvus.name
            case Kind.SLOW_DISK:
                return "photos"
            case Kind.RECORDS_LOCKED:
                return "records"

    def inject(self, fault: Fault) -> Injected:
        """Begin a fault.

        One of a process of ours is over when it is started again: to be back is up to us. The
        Milvus server is away until it takes connections.
        """
        inference = self.inferences[fault.inference]
        match fault.kind:
            case Kind.INFERENCE_KILLED:
                inference.kill()
                return Injected(inference.start)
            case Kind.EDGE_KILLED:
                self.edge.kill()
                return Injected(self.edge.start)
            case Kind.STORE_AWAY:
                self.milvus.kill()
                return Injected(self.milvus.start, self._has_milvus)
            case Kind.INFERENCE_STOPPED:
                return _stopped(inference)
            case Kind.EDGE_STOPPED:
                return _stopped(self.edge)
            case Kind.STORE_STOPPED:
                return _stopped(self.milvus)
            case Kind.SLOW_DISK:
                self.slow_disk.write_text(_FSYNC_SECONDS, "ascii")
                return Injected(self.slow_disk.unlink)
            case Kind.RECORDS_LOCKED:
                return _locked(self.data / "records.sqlite")

    def _has_milvus(self) -> bool:
        with socket.socket() as client:
            client.settimeout(0.5)
            return client.connect_ex(("127.0.0.1", self.milvus_port)) == 0


@contextmanager
def soaked_service(world: World) -> Iterator[SoakedService]:
    """All of it, ready and empty; ended afterwards. Raises StartFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        service = _service(world, folder)
        for process in service.processes:
            stack.callback(process.end)
        for process in service.processes:
            process.start()
        service.until_ready()
        yield service


def _service(world: World, folder: Path) -> SoakedService:
    milvus, first, second, edge = _free_ports(4)
    (folder / "data").mkdir()
    (folder / "milvus").mkdir()
    slow_disk = folder / "slow-disk"
    checkout = world.checkout or ROOT

    storage = {
        "STORAGE_VECTORS_URL": f"http://127.0.0.1:{milvus}",
        # So that a search finds whatever was acknowledged before it was sent.
        "STORAGE_VECTORS_CONSISTENCY": "strong",
        "STORAGE_TIMEOUT_SECONDS": _STORE_TIMEOUT_SECONDS,
    }

    def inference(name: str, port: int) -> Supervised:
        settings: dict[str, Setting] = {
            "INFERENCE_PACK": world.pack,
            "INFERENCE_PORT": port,
            "INFERENCE_METRICS_PORT": 0,
            "INFERENCE_LOG_FORMAT": "json",
        }
        return Supervised(name, [sys.executable, "-m", "inference"], world, settings)

    command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(folder / "milvus")]
    # Its threads write to one log without a lock (3.2.2), and what two of them wrote at once cannot
    # be read after a kill: vectors that were acknowledged would be lost, by it and not by us.
    command += ["--max-workers", "1"]
    return SoakedService(
        milvus=Supervised(
            "milvus",
            [*command, "--host", "127.0.0.1", "--port", str(milvus)],
            world,
            # What was written since its last flush it compares in Python, what was removed too, and
            # by default it flushes at 128 MB: after half an hour a search took a second and a half.
            {"MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": 65_536},
        ),
        milvus_port=milvus,
        inferences=(inference("inference 1", first), inference("inference 2", second)),
        addresses=(f"127.0.0.1:{first}", f"127.0.0.1:{second}"),
        edge=Supervised(
            "edge",
            [sys.executable, "-m", "edge"],
            world,
            {
                "PYTHONPATH": f"{_HOOK}:{checkout}:{checkout / 'proto'}",
                "BENCH_SLOW_DISK": slow_disk,
                "API_KEY": API_KEY,
                "EDGE_PORT": edge,
                "EDGE_INFERENCE_TARGETS": f"127.0.0.1:{first},127.0.0.1:{second}",
                "EDGE_LOG_FORMAT": "json",
                "STORAGE_DATA_DIR": folder / "data",
                **storage,
            },
        ),
        url=f"http://127.0.0.1:{edge}",
        data=folder / "data",
        storage_settings=storage,
        slow_disk=slow_disk,
    )


def _stopped(process: Supervised) -> Injected:
    process.freeze()
    return Injected(process.thaw)


def _locked(records: Path) -> Injected:
    connection = sqlite3.connect(records, timeout=30, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")

    def undo() -> None:
        connection.rollback()
        connection.close()

    return Injected(undo)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
