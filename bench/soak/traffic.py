"""The mixed work of a soak: what is sent next, and whether its answer is right."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from bench.load.observed import NO_ANSWER, OK
from bench.load.requests import Selfie
from bench.soak.client import Client
from bench.soak.journal import Verdict, Writing
from bench.soak.ledger import Asked, Entry, Found, Ledger
from bench.soak.plan import BASE, CHURN
from bench.soak.requests import Requests

REFUSALS = frozenset(
    {
        "429 overloaded",
        "503 inference_unavailable",
        "503 vectors_unavailable",
        "503 records_unavailable",
        "503 photos_unavailable",
        "504 deadline_exceeded",
    }
)
"""Documented, and possible here: all say that the same request may be sent again."""
_GONE = "404 photo_not_found"
_BASE_TOP_K, _CHURN_TOP_K = 10, 50


class Operation(StrEnum):
    """What is asked."""

    SEARCH = "search"
    SEARCH_CHURN = "search what changes"
    ENROL = "enrol"
    REMOVE = "remove"
    DETECT = "detect"


_MIX = {Operation.SEARCH: 60, Operation.SEARCH_CHURN: 12, Operation.DETECT: 8, Operation.ENROL: 20}
"""In percent. A turn for enrolling is one for removing while there are photos enough."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    said: str
    """Status and code."""
    body: Mapping[str, object]
    sent: float
    done: float


class Traffic:
    """Sends one operation after the other and writes down what became of it."""

    def __init__(
        self,
        client: Client,
        requests: Requests,
        probes: Sequence[Selfie],
        faces: Sequence[int],
        churn: int,
        seed: int,
    ) -> None:
        """faces: how many an enrolment sees on each probe. churn: photos that come and go."""
        self.ledger = Ledger()
        self.writing = Writing()
        self._client = client
        self._requests = requests
        self._probes = probes
        self._faces = faces
        self._churn = churn
        self._dice = Random(seed)
        self._live: list[str] = []
        self._coming = 0
        self._unanswered_removals: list[str] = []
        self._enrolled = 0

    async def one(self, due: float) -> None:
        """The next operation, due at this time of time.monotonic()."""
        operation = self._next()
        match operation:
            case Operation.SEARCH:
                await self._search(due, operation, self._dice.choice(BASE), self._any_probe())
            case Operation.SEARCH_CHURN:
                known = self.ledger[self._dice.choice(self._live)].probe
                await self._search(due, operation, CHURN, known)
            case Operation.DETECT:
                await self._detect(due)
            case Operation.ENROL:
                await self.enrol(due, self._any_probe(), CHURN)
            case Operation.REMOVE:
                await self._remove(due)

    async def enrol(self, due: float, probe: int, collection: str) -> None:
        """A new photo of a probe."""
        photo = self._requests.photo(probe)
        self._enrolled += 1
        photo_id = f"{collection}-{self._enrolled}"
        request = self._requests.enrol(photo_id, collection, photo)
        entry = Entry(
            photo_id=photo_id,
            collection=collection,
            probe=probe,
            person=self._probes[probe].person,
            sha256=hashlib.sha256(photo).hexdigest(),
            sent=time.monotonic(),
        )
        self.ledger.sent(entry)
        self._coming += 1
        answer = await self._ask(request)
        self._coming -= 1
        fault = None
        if answer.said == "200 ok":
            entry.there_since = answer.done
            if collection == CHURN:
                self._live.append(photo_id)
            fault = self._fault_of_faces(answer, probe)
        self._note(due, Operation.ENROL, answer, fault)

    def _next(self) -> Operation:
        operation = self._dice.choices(list(_MIX), list(_MIX.values()))[0]
        if operation is Operation.ENROL and len(self._live) + self._coming >= self._churn:
            operation = Operation.REMOVE
        needs_one = operation in (Operation.REMOVE, Operation.SEARCH_CHURN)
        return Operation.SEARCH if needs_one and not self._live else operation

    def _any_probe(self) -> int:
        return self._dice.randrange(len(self._probes))

    async def _search(self, due: float, operation: Operation, collection: str, probe: int) -> None:
        top_k = _CHURN_TOP_K if collection == CHURN else _BASE_TOP_K
        answer = await self._ask(self._requests.search(probe, collection, top_k))
        fault = None
        if answer.said == "200 ok":
            person = self._probes[probe].person
            asked = Asked(collection, probe, person, top_k, answer.sent, answer.done)
            fault = self.ledger.fault_of(asked, _found(answer.body))
        self._note(due, operation, answer, fault)

    async def _detect(self, due: float) -> None:
        probe = self._any_probe()
        answer = await self._ask(self._requests.detect(probe))
        fault = self._fault_of_faces(answer, probe) if answer.said == "200 ok" else None
        self._note(due, Operation.DETECT, answer, fault)

    async def _remove(self, due: float) -> None:
        is_again = bool(self._unanswered_removals)
        if is_again:
            photo_id = self._unanswered_removals.pop()
        else:
            photo_id = self._live.pop(self._dice.randrange(len(self._live)))
        entry = self.ledger[photo_id]
        entry.leaving_since = min(entry.leaving_since, time.monotonic())
        answer = await self._ask(self._requests.remove(photo_id, CHURN))
        fault = None
        # The one before may have been done, and its answer lost.
        is_gone = is_again and answer.said == _GONE
        if answer.said == "200 ok" or is_gone:
            self.ledger.gone(photo_id, answer.done)
        else:
            self._unanswered_removals.append(photo_id)
        if answer.said == "200 ok" and answer.body.get("faces_removed") != self._faces[entry.probe]:
            fault = f"{photo_id}: {answer.body.get('faces_removed')} faces were removed"
        if answer.said == _GONE and not is_again:
            fault = f"{photo_id} was acknowledged and is not there"
        self._note(due, Operation.REMOVE, answer, fault, is_right=is_gone)

    async def _ask(self, request: bytes) -> Answer:
        sent = time.monotonic()
        status, body = await self._client.ask(request)
        done = time.monotonic()
        if status == NO_ANSWER:
            return Answer("no answer", {}, sent, done)
        try:
            fields = json.loads(body)
        except ValueError:
            return Answer(f"{status} without JSON", {}, sent, done)
        code = "ok" if status == OK else str(fields.get("code"))
        return Answer(f"{status} {code}", fields, sent, done)

    def _fault_of_faces(self, answer: Answer, probe: int) -> str | None:
        faces = answer.body.get("faces")
        seen = len(faces) if isinstance(faces, list) else -1
        if seen != self._faces[probe]:
            return f"{seen} faces on probe {probe}, which shows {self._faces[probe]}"
        return None

    def _note(
        self,
        due: float,
        operation: Operation,
        answer: Answer,
        fault: str | None,
        *,
        is_right: bool = False,
    ) -> None:
        verdict = _verdict(answer.said, fault, is_right=is_right)
        writing = self.writing
        writing.due.append(due)
        writing.sent.append(answer.sent)
        writing.done.append(answer.done)
        writing.verdict.append(verdict)
        writing.operation.append(operation)
        writing.answer.append(answer.said)
        if verdict in (Verdict.WRONG, Verdict.UNEXPECTED):
            writing.faults.append(f"{operation}: {fault or answer.said}")


def _verdict(said: str, fault: str | None, *, is_right: bool) -> Verdict:
    if fault is not None:
        return Verdict.WRONG
    if said == "200 ok" or is_right:
        return Verdict.RIGHT
    if said == "no answer":
        return Verdict.NO_ANSWER
    return Verdict.REFUSED if said in REFUSALS else Verdict.UNEXPECTED


def _found(body: Mapping[str, object]) -> list[Found]:
    rows = body.get("results")
    if not isinstance(rows, list):
        return []
    return [Found(str(row["photo_id"]), str(row["collection_id"])) for row in rows]
