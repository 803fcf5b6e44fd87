"""The services that are measured.

Settings are environment variables by their full names, over those that are there:
`start_inference(world, INFERENCE_SESSIONS=2)`. To be used from the main thread: a process ends with
the thread that started it.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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
    "start_inference_workers",
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
    """Of inference: its Unix sockets as gRPC clients on this machine name them, with commas."""
    api_key: str = ""
    seconds_to_serving: float = 0.0
    """From its start until it served; of edges: until /readyz answered 200."""
    more_pids: tuple[int, ...] = ()
    """Of the others, where several processes are one service."""
    metrics_urls: tuple[str, ...] = ()
    """Of each process, where they are known."""
    logs: tuple[Path, ...] = ()
    """Of each process: JSON lines, while it runs."""

    def cpu_seconds(self) -> float:
        """User and system time of the process and what it started, so far."""
        return sum(process_tree.cpu_seconds(pid) for pid in (self.pid, *self.more_pids))

    def rss_bytes(self) -> int:
        """Resident memory of the process and what it started."""
        return sum(process_tree.rss_bytes(pid) for pid in (self.pid, *self.more_pids))


@contextmanager
def start_inference(world: World, **settings: Setting) -> Iterator[Service]:
    """An inference server on a free port of loopback and on a Unix socket. Raises StartFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        unix_socket = Path(folder) / "inference.sock"
        own: dict[str, Setting] = {
            "INFERENCE_PACK": world.pack,
            "INFERENCE_PORT": 0,
            "INFERENCE_METRICS_PORT": 0,
            "INFERENCE_UNIX_SOCKET": unix_socket,
            "INFERENCE_LOG_FORMAT": "json",
        }
        command = [sys.executable, "-m", "inference"]
        with started("inference", command, world, own | settings) as child:
            port = child.serving()["port"]
            yield Service(
                name="inference",
                pid=child.pid,
                address=f"127.0.0.1:{port}",
                target=f"unix:{unix_socket}",
                seconds_to_serving=child.age_seconds,
                logs=(child.log,),
            )


@contextmanager
def start_inference_workers(world: World, **settings: Setting) -> Iterator[Service]:
    """Inference as `facesearch up` starts it: a server a core, each with one session and a socket.

    To be called through all its targets. Raises StartFailed.
    """
    with ExitStack() as stack:
        servers = []
        metrics_urls = []
        for _ in os.sched_getaffinity(0):
            port = _free_port()
            own: dict[str, Setting] = {"INFERENCE_SESSIONS": 1, "INFERENCE_METRICS_PORT": port}
            servers.append(stack.enter_context(start_inference(world, **(own | settings))))
            metrics_urls.append(f"http://127.0.0.1:{port}/metrics")
        yield replace(
            servers[0],
            target=",".join(server.target for server in servers),
            seconds_to_serving=max(server.seconds_to_serving for server in servers),
            more_pids=tuple(server.pid for server in servers[1:]),
            metrics_urls=tuple(metrics_urls),
            logs=tuple(log for server in servers for log in server.logs),
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
                logs=(child.log,),
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder)
