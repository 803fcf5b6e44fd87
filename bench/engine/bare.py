"""The bare loop as a side that takes turns with the server."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel

from bench.kit.analyze import Policy
from bench.kit.child import Setting, started
from bench.kit.latency import Latencies
from bench.kit.loops import Load
from bench.kit.processes import Service
from bench.kit.world import World

_PROGRAM = Path(__file__).with_name("bare_process.py")


class Round(BaseModel):
    """What the process answers."""

    seconds: float
    latencies: list[float]
    stages: dict[str, float]
    """Mean seconds of a photo, by stage."""


class Asked(BaseModel):
    """What it is asked."""

    folder: str
    policy: str


@dataclass(frozen=True, slots=True)
class Bare:
    """The process, idle unless asked."""

    service: Service
    threads: int
    lines: TextIO
    stages: dict[Policy, dict[str, float]] = field(default_factory=dict)
    """Mean seconds of a photo in the last round, by stage."""

    def load(self, folder: Path, policy: Policy) -> Load:
        """Every photo in the folder once."""
        self.lines.write(Asked(folder=str(folder), policy=policy).model_dump_json() + "\n")
        self.lines.flush()
        answer = Round.model_validate_json(self.lines.readline())
        self.stages[policy] = answer.stages
        return Load(Latencies.of(answer.latencies), answer.seconds)


@contextmanager
def bare(world: World, threads: int) -> Iterator[Bare]:
    """The process, loaded and idle. Raises StartFailed."""
    settings: dict[str, Setting] = {
        "INFERENCE_PACK": world.pack,
        "INFERENCE_SESSIONS": threads,
    }
    with started("bare loop", [sys.executable, str(_PROGRAM)], world, settings) as child:
        said = child.serving()
        port = int(str(said["port"]))
        with (
            socket.create_connection(("127.0.0.1", port)) as connection,
            connection.makefile("rw", encoding="utf-8") as lines,
        ):
            service = Service("bare loop", child.pid, f"127.0.0.1:{port}")
            yield Bare(service, int(str(said["threads"])), lines)
