"""HAProxy's configuration, and what it writes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template

BACKEND = "edges"
_TEMPLATE = Path(__file__).with_name("haproxy.cfg")


@dataclass(frozen=True, slots=True)
class Routed:
    """What the balancer says of one request."""

    server: str
    """The slot whose edge answered or was to answer; "<NOSRV>" if there was none."""
    status: int
    """Sent to the client; -1: nothing."""
    ended: str
    """HAProxy's two letters for who ended it, and when."""
    retries: str
    """How often it connected anew; with a plus sign, to another server at last."""


def configuration(socket: Path, port: int, slots: int) -> str:
    """The text of the file.

    socket: where it takes commands. slots: how many edges there may be at once.
    """
    return Template(_TEMPLATE.read_text("utf-8")).substitute(socket=socket, port=port, slots=slots)


def routed(lines: Iterable[str]) -> dict[str, Routed]:
    """Who got each request, by its id; lines that tell of something else are passed over."""
    found = {}
    for line in lines:
        if line.startswith('{"id":'):
            fields = json.loads(line)
            found[fields["id"]] = Routed(
                fields["server"], fields["status"], fields["ended"], fields["retries"]
            )
    return found


def notices(lines: Iterable[str]) -> list[str]:
    """What the balancer says of servers that go down and come up."""
    return [line for line in lines if line.startswith("Server ") and BACKEND in line]
