"""The bare loop in a process of its own; a program, run by its path.

    python bench/engine/bare_process.py

Listens on a free port of loopback and says so in a JSON line. One JSON line asks for a round,
`{"folder": …, "policy": "search" | "full"}`: every photo in the folder once, by as many threads as
the server has sessions, each with its own; one JSON line answers. The settings are the server's
own, from INFERENCE_ variables. Imports the package that is measured, which may be of another source
tree, and nothing of the benchmarks.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Lock

from inference import bare

_OPTIONS = {"search": bare.SEARCH, "full": bare.ENROLMENT}


class _Turns:
    """Photos for several threads, each taken once."""

    def __init__(self, photos: Sequence[bytes]) -> None:
        self._photos = iter(photos)
        self._lock = Lock()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._lock:
                photo = next(self._photos, None)
            if photo is None:
                return
            yield photo


@cache
def _photos(folder: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted(Path(folder).iterdir())]


def _walk(
    engine: bare.BareEngine, photos: _Turns, policy: str
) -> list[tuple[float, dict[str, float]]]:
    """How long each photo took, and where the time went by stage."""
    done = []
    for photo in photos:
        begun = time.perf_counter()
        analysis = engine.analyze(photo, _OPTIONS[policy])
        done.append((time.perf_counter() - begun, asdict(analysis.seconds)))
    return done


def _round(
    engines: Sequence[bare.BareEngine], threads: ThreadPoolExecutor, folder: str, policy: str
) -> dict[str, object]:
    photos = _Turns(_photos(folder))
    begun = time.perf_counter()
    working = [threads.submit(_walk, engine, photos, policy) for engine in engines]
    done = [one for each in working for one in each.result()]
    whole = time.perf_counter() - begun
    stages = [seconds for _, seconds in done]
    return {
        "seconds": whole,
        "latencies": [seconds for seconds, _ in done],
        "stages": {name: sum(one[name] for one in stages) / len(stages) for name in stages[0]},
    }


def main() -> None:
    """Load, listen, answer until the connection ends."""
    engines = bare.open_bare()
    with (
        ThreadPoolExecutor(len(engines)) as threads,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        port = listening.getsockname()[1]
        print(json.dumps({"event": "serving", "port": port, "threads": len(engines)}), flush=True)
        connection, _ = listening.accept()
        with connection, connection.makefile("rw", encoding="utf-8") as lines:
            for line in lines:
                asked = json.loads(line)
                answer = _round(engines, threads, asked["folder"], asked["policy"])
                lines.write(json.dumps(answer) + "\n")
                lines.flush()


if __name__ == "__main__":
    main()
