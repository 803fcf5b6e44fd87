"""What the generator is told, as JSON on its standard input."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

BASE = ("first", "second")
"""Collections of which every probe has a photo from the start, and that nothing else changes."""
CHURN = "churn"
"""Collection that photos come into and leave all the time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One soak, as its generator needs it."""

    url: str
    api_key: str
    probes: str
    """Folder that `keep_selfies` wrote."""
    faces: tuple[int, ...]
    """How many faces an enrolment sees on each probe."""
    output: str
    """Folder for the journal and the ledger."""
    seconds: float
    rate: float | None
    """Requests a second; None: half of the highest, which is measured first."""
    calibration_seconds: float
    churn: int
    """Photos that the churning collection holds, about."""
    seed: int

    def to_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What `to_text` gave."""
        fields = json.loads(text)
        fields["faces"] = tuple(fields["faces"])
        return cls(**fields)
