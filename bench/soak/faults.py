"""Which faults come when. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle
from random import Random


class Kind(StrEnum):
    """What goes wrong."""

    INFERENCE_KILLED = "inference killed"
    """kill -9 of one of the two; the supervisor starts it again."""
    INFERENCE_STOPPED = "inference stopped"
    """SIGSTOP: it takes connections and answers nothing."""
    EDGE_KILLED = "edge killed"
    EDGE_STOPPED = "edge stopped"
    STORE_AWAY = "store away"
    """kill -9 of the Milvus server, which is started again only after a while."""
    STORE_STOPPED = "store stopped"
    SLOW_DISK = "slow disk"
    """Every fsync of the photos takes a second."""
    RECORDS_LOCKED = "records locked"
    """Another process holds the write lock of SQLite, as one whose disk stalls in a commit."""


INTERRUPTS_EDGE = frozenset({Kind.EDGE_KILLED, Kind.EDGE_STOPPED})
"""During these connections may break or stay without an answer."""
_LASTS = frozenset(Kind) - {Kind.INFERENCE_KILLED, Kind.EDGE_KILLED}
_INFERENCES = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a schedule."""

    at: float
    """Seconds after the start of the load."""
    kind: Kind
    lasts: float
    """Seconds until it is undone; 0 of what a supervisor mends at once."""
    inference: int
    """Which of the inference servers, if it is one of those."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and for how long."""

    first: float
    """Seconds after the start."""
    every: float
    shortest: float
    longest: float
    quiet: float
    """Seconds at the end without one, so that the last can be recovered from."""
    is_shuffled: bool = True
    """False: kinds come as they are listed."""


def schedule(pace: Pace, seconds: float, seed: int, kinds: Sequence[Kind]) -> list[Fault]:
    """Faults, each kind as often as any other (give or take one), in random order."""
    dice = Random(seed)
    count = max(0, int((seconds - pace.quiet - pace.first) // pace.every) + 1)
    turns = _in_turns(dice, kinds) if pace.is_shuffled else cycle(kinds)
    faults = []
    for number in range(count):
        kind = next(turns)
        lasts = dice.uniform(pace.shortest, pace.longest) if kind in _LASTS else 0.0
        at = pace.first + number * pace.every
        faults.append(Fault(at, kind, lasts, dice.randrange(_INFERENCES)))
    return faults


def _in_turns(dice: Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    while True:
        yield from dice.sample(list(kinds), len(kinds))
