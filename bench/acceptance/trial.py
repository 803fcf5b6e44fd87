"""What the checks work with, and how they say what they found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.acceptance.answers import Found, Photo
from bench.acceptance.calls import Answer, CallFailed, Calls
from bench.acceptance.findings import Findings
from bench.acceptance.operations import PUT_PHOTO, SEARCH, Operation
from bench.acceptance.samples import Samples

_LOOK_EVERY_SECONDS = 0.2


@dataclass(slots=True)
class Names:
    """Collections of this run; nobody else has any of that name."""

    run: str
    used: list[str] = field(default_factory=list)

    def collection(self, what: str) -> str:
        """The name of one of them."""
        name = f"{self.run}-{what}"
        if name not in self.used:
            self.used.append(name)
        return name


@dataclass(frozen=True, slots=True)
class Trial:
    """One service on trial."""

    calls: Calls
    samples: Samples
    names: Names
    findings: Findings
    patience_seconds: float
    """How long what was added may take to be found. Some with a cluster of Milvus, which answers
    with `bounded` consistency."""
    is_ours: bool
    """Whether the whole base may be emptied."""

    def expect(self, operation: Operation, what: str, answer: Answer, said: str) -> bool:
        """A line: the answer has this status and code, such as "422 too_many_faces"."""
        return self.findings.judge(str(operation), what, said, answer.said)

    def same(self, operation: Operation, what: str, expected: object, found: object) -> bool:
        """A line: the two are equal."""
        return self.findings.judge(str(operation), what, expected, found)

    def put(self, photo_id: str, collection: str, image: bytes) -> Photo:
        """A photo that a check needs. Raises CallFailed if it is refused."""
        answer = self.calls(
            PUT_PHOTO, photo_id=photo_id, fields={"collection_id": collection}, image=image
        )
        return answer.read(Photo)

    def search(self, image: bytes, collection: str, **fields: str) -> Answer:
        """A search in one collection."""
        return self.calls(SEARCH, image=image, fields={"collection_id": collection, **fields})

    def search_until(
        self, is_it: Callable[[Found], bool], image: bytes, collection: str, **fields: str
    ) -> Found:
        """The first answer of which that is true, or the last one once patience is over.

        Raises CallFailed if a search is refused.
        """
        end = time.monotonic() + self.patience_seconds
        while True:
            answer = self.search(image, collection, **fields)
            found = answer.read(Found)
            if is_it(found) or time.monotonic() >= end:
                return found
            time.sleep(_LOOK_EVERY_SECONDS)


Check = Callable[[Trial], None]


def run_check(check: Check, trial: Trial) -> None:
    """All lines of a check; one that cannot go on is a line too, and the others follow."""
    try:
        check(trial)
    except CallFailed as error:
        name = check.__name__.replace("_", " ")
        trial.findings.rule(name, "carried out to its end", "yes", error, passes=False)
