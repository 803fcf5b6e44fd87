"""What the generator saw of its requests, every attempt of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from bench.load.observed import NO_ANSWER, OK

LOST_STATUSES = frozenset({NO_ANSWER, 502})
"""Nobody knows what became of the request: its connection, or that behind the balancer, broke."""


class Operation(StrEnum):
    """What is asked."""

    SEARCH = "search"
    ENROL = "enrol"


class Outcome(StrEnum):
    """What a request was worth in the end."""

    RIGHT = "right"
    WRONG = "wrong"
    """Answered 200, and not with what it must be."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a request was sent. Times are time.monotonic(), the same in all processes."""

    request_id: str
    sent: float
    done: float
    status: int
    """NO_ANSWER: the connection was refused or lost."""
    code: str
    """Of a refusal, such as "overloaded"; empty: it has none."""
    retry_after: float | None
    """Seconds that the answer asks to wait; None: it does not say."""

    @property
    def is_ok(self) -> bool:
        """Whether it was answered."""
        return self.status == OK

    @property
    def is_lost(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.status in LOST_STATUSES or (not self.is_ok and not self.code)

    @property
    def said(self) -> str:
        """In words."""
        if self.status == NO_ANSWER:
            return "no answer"
        return f"{self.status} {self.code}".strip()


@dataclass(frozen=True, slots=True)
class Request:
    """One request, until it was answered or given up."""

    number: int
    operation: Operation
    due: float
    attempts: tuple[Attempt, ...]
    outcome: Outcome

    @property
    def first(self) -> Attempt:
        return self.attempts[0]

    @property
    def seconds(self) -> float:
        """From the moment it was due until the end of its last attempt."""
        return self.attempts[-1].done - self.due


@dataclass(frozen=True, slots=True)
class Journal:
    """A whole load, in the order in which requests were due."""

    requests: Sequence[Request]
    acknowledged: Sequence[str]
    """Ids of the photos whose enrolment was answered 200."""
    rate: float

    def between(self, begun: float, end: float) -> list[Request]:
        """Those whose first attempt ended then: what is in flight at the beginning counts too."""
        return [request for request in self.requests if begun <= request.first.done < end]

    def save(self, file: Path) -> None:
        """Write it down; `load` reads it."""
        whole = {
            "rate": self.rate,
            "acknowledged": list(self.acknowledged),
            "requests": [asdict(request) for request in self.requests],
        }
        file.write_text(json.dumps(whole), "utf-8")

    @classmethod
    def load(cls, file: Path) -> Journal:
        """What `save` wrote."""
        whole = json.loads(file.read_text("utf-8"))
        requests = [
            Request(
                number=fields["number"],
                operation=Operation(fields["operation"]),
                due=fields["due"],
                attempts=tuple(Attempt(**attempt) for attempt in fields["attempts"]),
                outcome=Outcome(fields["outcome"]),
            )
            for fields in whole["requests"]
        ]
        return cls(requests, whole["acknowledged"], whole["rate"])
