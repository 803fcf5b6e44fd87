"""What the generator saw of its requests, every one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Verdict(IntEnum):
    """What an answer was worth."""

    RIGHT = 0
    REFUSED = 1
    """By a documented code that says: later."""
    NO_ANSWER = 2
    """The connection was refused or lost."""
    WRONG = 3
    UNEXPECTED = 4
    """Neither an answer nor a refusal that is documented for this."""


@dataclass(slots=True)
class Writing:
    """Requests, as they are answered."""

    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    verdict: list[int] = field(default_factory=list)
    operation: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What was wrong with wrong and unexpected answers."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A whole load. All arrays are (n,), in the order in which requests were due.

    Times are time.monotonic(), which all processes of a machine share.
    """

    due: FloatArray
    sent: FloatArray
    done: FloatArray
    verdict: NDArray[np.int64]
    operation: Sequence[str]
    answer: Sequence[str]
    """Status and code, such as "200 ok" or "429 overloaded"."""
    faults: Sequence[str]
    rate: float
    """Requests a second that were due."""

    def __len__(self) -> int:
        return len(self.due)

    def count(self, verdict: Verdict) -> int:
        """Of the answers of this kind."""
        return int((self.verdict == verdict).sum())

    @classmethod
    def of(cls, writing: Writing, rate: float) -> Self:
        """From what was written down, in whatever order."""
        order = np.argsort(writing.due, kind="stable")
        return cls(
            due=np.array(writing.due, np.float64)[order],
            sent=np.array(writing.sent, np.float64)[order],
            done=np.array(writing.done, np.float64)[order],
            verdict=np.array(writing.verdict, np.int64)[order],
            operation=[writing.operation[place] for place in order],
            answer=[writing.answer[place] for place in order],
            faults=list(writing.faults),
            rate=rate,
        )

    def save(self, file: Path) -> None:
        """Write it down; `load` reads it."""
        facts = {"rate": self.rate, "faults": list(self.faults)}
        np.savez(
            file,
            due=self.due,
            sent=self.sent,
            done=self.done,
            verdict=self.verdict,
            operation=np.array(self.operation),
            answer=np.array(self.answer),
            facts=np.array(json.dumps(facts)),
        )

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote."""
        with np.load(file) as kept:
            facts = json.loads(str(kept["facts"]))
            return cls(
                due=kept["due"],
                sent=kept["sent"],
                done=kept["done"],
                verdict=kept["verdict"],
                operation=kept["operation"].tolist(),
                answer=kept["answer"].tolist(),
                faults=facts["faults"],
                rate=float(facts["rate"]),
            )
