"""What came of each photo, counted: only what needs a look is kept by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How it went with one photo."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one photo."""

    photo_id: str
    ending: Ending
    has_faces: bool = True
    reason: str = ""
    """Why it failed."""
    faces_refused: int = 0
    """Faces too poor to be indexed, as the service is set. Only of a photo that was sent."""
    faces_marked: int = 0
    """Poor faces that were indexed all the same; likewise."""
    is_refused_whole: bool = False
    """Whether it shows faces, and all were refused."""


class Tally:
    """The outcomes of one run."""

    def __init__(self) -> None:
        self._endings: Counter[Ending] = Counter()
        self._failed: list[Outcome] = []
        self._without_faces: list[str] = []
        self._refused_whole: list[str] = []
        self.faces_refused = 0
        self.faces_marked = 0

    def add(self, outcome: Outcome) -> None:
        """One photo more."""
        self._endings[outcome.ending] += 1
        if outcome.ending is Ending.FAILED:
            self._failed.append(outcome)
            return
        if not outcome.has_faces:
            self._without_faces.append(outcome.photo_id)
        if outcome.is_refused_whole:
            self._refused_whole.append(outcome.photo_id)
        self.faces_refused += outcome.faces_refused
        self.faces_marked += outcome.faces_marked

    def count(self, ending: Ending) -> int:
        """How many photos ended so."""
        return self._endings[ending]

    @property
    def photos(self) -> int:
        return self._endings.total()

    @property
    def taken(self) -> int:
        """How many are in the base."""
        return self.photos - self.count(Ending.FAILED)

    @property
    def failed(self) -> list[Outcome]:
        return sorted(self._failed, key=lambda outcome: outcome.photo_id)

    @property
    def without_faces(self) -> list[str]:
        return sorted(self._without_faces)

    @property
    def refused_whole(self) -> list[str]:
        """Photos on which every face was too poor to be indexed."""
        return sorted(self._refused_whole)
