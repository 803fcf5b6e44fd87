"""What the generator is told, as JSON in a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Plan:
    """One load, as its generator needs it. It ends when its standard input does."""

    url: str
    """Of the balancer."""
    api_key: str
    selfies: str
    """Folder that `keep_selfies` wrote."""
    journal: str
    """File for what was observed."""
    rate: float
    """Requests a second."""
    enrol_every: int
    """One request of so many is an enrolment."""

    def save(self, file: Path) -> None:
        """Write it down; `load` reads it."""
        file.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote."""
        return cls(**json.loads(file.read_text("utf-8")))
