"""What the service acknowledged, and so what an answer must and must not show. Pure.

A write that got no answer, or a refusal, may have happened or not: nothing is said of its photo
until a later answer settles it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

_NEVER = float("inf")


class State(StrEnum):
    """What is known of a photo at the end."""

    KEPT = "kept"
    """Its enrolment was acknowledged, and nobody asked for its removal."""
    GONE = "gone"
    """Its removal was acknowledged."""
    OPEN = "open"


@dataclass(slots=True)
class Entry:
    """One photo that was sent. All times are of the generator's clock, in seconds."""

    photo_id: str
    collection: str
    probe: int
    """Which one it shows; photos of one probe have the same pixels."""
    person: str
    sha256: str
    sent: float
    there_since: float = _NEVER
    """When its enrolment was acknowledged."""
    leaving_since: float = _NEVER
    """When its removal was first sent."""
    gone_since: float = _NEVER
    """When its removal was acknowledged."""

    def must_show(self, begun: float, ended: float) -> bool:
        """Whether a search sent and answered at these times must know it."""
        return self.there_since <= begun and self.leaving_since >= ended

    def may_show(self, begun: float, ended: float) -> bool:
        """Whether such a search may show it."""
        return self.sent <= ended and self.gone_since >= begun

    @property
    def state(self) -> State:
        """What is known of it so far."""
        if self.gone_since < _NEVER:
            return State.GONE
        is_kept = self.there_since < _NEVER and self.leaving_since == _NEVER
        return State.KEPT if is_kept else State.OPEN


@dataclass(frozen=True, slots=True)
class Found:
    """One row of a search's answer."""

    photo_id: str
    collection: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A search that was answered."""

    collection: str
    probe: int
    person: str
    top_k: int
    begun: float
    """When it was sent."""
    ended: float
    """When its answer was complete."""


class Ledger:
    """The book of every photo, kept by whoever sends."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._of_probe: defaultdict[tuple[str, int], dict[str, Entry]] = defaultdict(dict)

    def sent(self, entry: Entry) -> None:
        """It is enrolled now. A name is never used twice."""
        self._entries[entry.photo_id] = entry
        self._of_probe[entry.collection, entry.probe][entry.photo_id] = entry

    def gone(self, photo_id: str, now: float) -> None:
        """Its removal is acknowledged."""
        entry = self._entries[photo_id]
        entry.gone_since = now
        # No later answer must show it; and a search looks through its probe's photos each time.
        self._of_probe[entry.collection, entry.probe].pop(photo_id, None)

    def __getitem__(self, photo_id: str) -> Entry:
        return self._entries[photo_id]

    def entries(self) -> Iterable[Entry]:
        """All, in the order they were sent."""
        return self._entries.values()

    def fault_of(self, asked: Asked, results: Sequence[Found]) -> str | None:
        """What is wrong with the answer to a search; None: nothing."""
        for row in results:
            entry = self._entries.get(row.photo_id)
            if entry is None:
                return f"{row.photo_id} was never sent"
            if not row.collection == entry.collection == asked.collection:
                return f"{row.photo_id} is of another collection"
            if not entry.may_show(asked.begun, asked.ended):
                return f"{row.photo_id} was removed before"
        shown = {row.photo_id for row in results}
        due = [
            entry.photo_id
            for entry in self._of_probe[asked.collection, asked.probe].values()
            if entry.must_show(asked.begun, asked.ended)
        ]
        # A page that is full may hold photos whose writes got no answer instead.
        if len(results) < asked.top_k and (missing := set(due) - shown):
            return f"{min(missing)} is missing"
        if due and not results:
            return "nothing was found"
        if due and self._entries[results[0].photo_id].person != asked.person:
            return f"{results[0].photo_id} comes first"
        return None
