"""HAProxy before the edges, told who is there as an Ingress is told by its endpoints."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.kit.child import StartFailed, started
from bench.kit.world import World
from bench.rollout.haproxy_config import BACKEND, Routed, configuration, notices, routed

VARIABLE = "FACESEARCH_HAPROXY"
SLOTS = 5
"""Edges that may be known at once: two, one more of a surge, and those that still drain."""
_ANSWER_BYTES = 65_536


class BalancerRefused(Exception):
    """HAProxy did not do what it was told."""


class Balancer:
    """A running HAProxy. Slots are named edge1, edge2, … and hold one edge each."""

    def __init__(self, port: int, commands: Path, log: Path) -> None:
        self.port = port
        self._commands = commands
        self._log = log
        self._slots: dict[str, str] = {}
        self._free = [f"edge{number}" for number in range(1, SLOTS + 1)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, name: str, host: str, port: int) -> str:
        """From now on this edge gets requests; its slot. Raises BalancerRefused."""
        slot = self._free.pop(0)
        self._slots[name] = slot
        self._tell(f"set server {BACKEND}/{slot} addr {host} port {port}", may_say=True)
        self._tell(f"set server {BACKEND}/{slot} state ready")
        return slot

    def drain(self, name: str) -> None:
        """It gets nothing new; what it has goes on."""
        self._tell(f"set server {BACKEND}/{self._slots[name]} state drain")

    def forget(self, name: str) -> None:
        """It is gone; its slot is free for another one."""
        slot = self._slots.pop(name)
        self._tell(f"set server {BACKEND}/{slot} state maint")
        self._free.append(slot)

    def slot(self, name: str) -> str:
        """Where an edge is."""
        return self._slots[name]

    def routed(self) -> dict[str, Routed]:
        """Who got each request, by its id."""
        return routed(self._lines())

    def notices(self) -> list[str]:
        """What it said of servers that went down and came up."""
        return notices(self._lines())

    def _lines(self) -> list[str]:
        return self._log.read_text("utf-8", "replace").splitlines()

    def _tell(self, command: str, *, may_say: bool = False) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._commands))
            client.sendall(f"{command}\n".encode())
            said = b"".join(iter(lambda: client.recv(_ANSWER_BYTES), b"")).decode().strip()
        if said and not may_say:
            raise BalancerRefused(f"{command}: {said}")


@contextmanager
def balancer(world: World, port: int) -> Iterator[Balancer]:
    """HAProxy on this port of loopback, without any edge yet. Raises StartFailed."""
    program = os.environ.get(VARIABLE) or shutil.which("haproxy", path=_places())
    if program is None:
        raise StartFailed(f"no HAProxy here: install Debian's package haproxy, or set {VARIABLE}")
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        file, commands = folder / "haproxy.cfg", folder / "commands"
        file.write_text(configuration(commands, port, SLOTS), "utf-8")
        with started("haproxy", [program, "-db", "-f", str(file)], world, {}) as child:
            child.until_listening(port)
            yield Balancer(port, commands, child.log)


def _places() -> str:
    # Debian has it where only root looks.
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
