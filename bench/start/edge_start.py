"""One start of an edge: when /livez answers, when /readyz does, and how /livez does in between."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kit.child import Setting, started
from bench.kit.world import World

_KEY = "key-of-a-benchmark"
_PROBE_SECONDS = 0.1
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class EdgeStart:
    """Seconds since the process was started."""

    live: float
    """/livez answered for the first time."""
    ready: float
    """/readyz answered 200."""
    slowest_live: float
    """The longest that an answer of /livez took between the two."""


def start_once(
    world: World, inference: str, data_dir: Path, settings: dict[str, Setting]
) -> EdgeStart:
    """Start an edge on this folder, wait until it is ready, end it. Raises StartFailed."""
    port = _free_port()
    own: dict[str, Setting] = {
        "API_KEY": _KEY,
        "EDGE_PORT": port,
        "EDGE_INFERENCE_TARGETS": inference,
        "EDGE_LOG_FORMAT": "json",
        "STORAGE_DATA_DIR": data_dir,
    }
    url = f"http://127.0.0.1:{port}"
    with started("edge", [sys.executable, "-m", "edge"], world, own | settings) as child:
        child.until_answering(f"{url}/livez")
        live = child.age_seconds
        with _probing(port) as slowest:
            # Not by asking /readyz all the time: the edge would do that instead of starting.
            child.serving()
        child.until_answering(f"{url}/readyz")
        return EdgeStart(live, child.age_seconds, max(slowest, default=0.0))


@contextmanager
def _probing(port: int) -> Iterator[list[float]]:
    """Asks /livez ten times a second, as no orchestrator would; the seconds of each answer."""
    seconds: list[float] = []
    over = threading.Event()

    def probe() -> None:
        while not over.wait(_PROBE_SECONDS):
            begun = time.perf_counter()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
            connection.request("GET", "/livez")
            connection.getresponse().read()
            connection.close()
            seconds.append(time.perf_counter() - begun)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield seconds
    finally:
        over.set()
        thread.join()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
