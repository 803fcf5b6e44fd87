"""What a generator is told, as JSON on its standard input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from bench.load.arrivals import Arrivals
from bench.load.requests import Selfie

_PEOPLE = "people.json"


class Interface(StrEnum):
    """What is asked."""

    SEARCH = "POST /search/"
    ANALYZE = "gRPC Analyze"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run of a generator."""

    interface: Interface
    target: str
    """URL of an edge, or gRPC target of an inference server."""
    api_key: str
    selfies: str
    """Folder that `keep_selfies` wrote."""
    output: str
    """File for what was observed."""
    rate: float
    """Requests a second."""
    seconds: float
    top_ks: tuple[int, ...] = (10, 50)
    timeout_seconds: float = 10.0
    """Deadline of each request, sent with it."""

    @property
    def arrivals(self) -> Arrivals:
        return Arrivals(self.rate, self.seconds)

    def to_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` gave."""
        fields = json.loads(text)
        fields["interface"] = Interface(fields["interface"])
        fields["top_ks"] = tuple(fields["top_ks"])
        return cls(**fields)


def keep_selfies(folder: Path, selfies: list[Selfie]) -> None:
    """Write the selfies where a generator finds them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, selfie in enumerate(selfies):
        (folder / f"{number}.jpg").write_bytes(selfie.data)
    (folder / _PEOPLE).write_text(json.dumps([selfie.person for selfie in selfies]), "utf-8")


def kept_selfies(folder: Path) -> list[Selfie]:
    """What `keep_selfies` wrote."""
    people = json.loads((folder / _PEOPLE).read_text("utf-8"))
    return [
        Selfie((folder / f"{number}.jpg").read_bytes(), person)
        for number, person in enumerate(people)
    ]
