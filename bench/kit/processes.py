"""The services that are measured.

Settings are environment variables by their full names, over those that are there:
`start_inference(world, INFERENCE_SESSIONS=2)`. To be used from the main thread: a process ends with
the thread that started it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kit import process_tree
from bench.kit.child import Setting, StartFailed, started
from bench.kit.world import World

__all__ = [
    "API_KEY",
    "Service",
    "Setting",
    "StartFailed",
    "start_edge",
    "start_inference",
    "start_up",
]

API_KEY = "key-of-a-benchmark"  # of services that live as long as the benchmark, on loopback


@dataclass(frozen=True, slots=True)
class Service:
    """A process that serves."""

    name: str
    pid: int
    address: str
    """host:port."""
    url: str = ""
    """http://host:port, where it speaks HTTP."""
    target: str = ""
    """Of an inference server: its Unix socket, as gRPC clients on this machine name it."""
    api_key: str = ""
    seconds_to_serving: float = 0.0
    """From its start until it served; of edges: until /readyz answered 200."""

    def cpu_seconds(self) -> float:
        """User and system time of the process and what it started, so far."""
        return process_tree.cpu_seconds(self.pid)

    def rss_bytes(self) -> int:
        """Resident memory of the process and what it started."""
        return process_tree.rss_bytes(self.pid)


@contextmanager
def start_inference(world: World, **settings: Setting) -> Iterator[Service]:
    """An inference server on a free port of loopback and on a Unix socket. Raises StartFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        socket = Path(folder) / "inference.sock"
        own: dict[str, Setting] = {
            "INFERENCE_PACK": world.pack,
            "INFERENCE_PORT": 0,
            "INFERENCE_METRICS_PORT": 0,
            "INFERENCE_UNIX_SOCKET": socket,
            "INFERENCE_LOG_FORMAT": "json",
        }
        command = [sys.executable, "-m", "inference"]
        with started("inference", command, world, own | settings) as child:
            port = child.serving()["port"]
            yield Service(
                name="inference",
                pid=child.pid,
                address=f"127.0.0.1:{port}",
                target=f"unix:{socket}",
                seconds_to_serving=child.age_seconds,
            )


@contextmanager
def start_edge(
    world: World, inference: Service | str, data_dir: Path | None = None, **settings: Setting
) -> Iterator[Service]:
    """An edge on a free port of loopback, ready. Raises StartFailed.

    inference: a server, reached through its Unix socket as in `facesearch up`, or any target.
    data_dir: where it keeps things; None: a new folder that is removed afterwards.
    """
    with _folder(data_dir) as data:
        own: dict[str, Setting] = {
            "EDGE_PORT": 0,
            "EDGE_INFERENCE_TARGETS": inference if isinstance(inference, str) else inference.target,
            "EDGE_LOG_FORMAT": "json",
            "STORAGE_DATA_DIR": data,
            "API_KEY": API_KEY,
        }
        command = [sys.executable, "-m", "edge"]
        with started("edge", command, world, own | settings) as child:
            address = f"127.0.0.1:{child.serving()['port']}"
            child.until_answering(f"http://{address}/readyz")
            yield Service(
                name="edge",
                pid=child.pid,
                address=address,
                url=f"http://{address}",
                api_key=API_KEY,
                seconds_to_serving=child.age_seconds,
            )


@contextmanager
def start_up(
    world: World, data_dir: Path | None = None, options: Sequence[str] = (), **settings: Setting
) -> Iterator[Service]:
    """`facesearch up`, ready: both processes and their parent. Raises StartFailed.

    options: further ones of its command line.
    """
    with _folder(data_dir) as data:
        own: dict[str, Setting] = {"INFERENCE_PACK": world.pack, "API_KEY": API_KEY}
        command = [sys.executable, "-m", "cli.main", "up", "--data-dir", str(data), "--port", "0"]
        with started("facesearch up", [*command, *options], world, own | settings) as child:
            url = child.announced_url(data / "service.json")
            yield Service(
                name="facesearch up",
                pid=child.pid,
                address=url.removeprefix("http://"),
                url=url,
                api_key=API_KEY,
                seconds_to_serving=child.age_seconds,
            )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)
