"""What a series of damaged images found, as figures, tables and files. Pure, but for the files."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.kit.figures import Figure
from bench.kit.latency import LATENCY_COLUMNS, Latencies
from bench.kit.result import Cell, Table
from bench.mutations.sending import Outcome

_SERVER_ERROR = 500
_MOST_LISTED = 50
_MOST_SLOW = 10
_Keys = Callable[[Outcome], list[str]]


def figures(outcomes: Sequence[Outcome], crashes: int, sent_of: int) -> list[Figure]:
    """What the series is run for. crashes: processes that are not the same as before."""
    server_errors = sum(one.status >= _SERVER_ERROR or not one.status for one in outcomes)
    late = sum(one.is_late for one in outcomes)
    others = sum(
        not one.is_late and one.fault is not None and 0 < one.status < _SERVER_ERROR
        for one in outcomes
    )

    def none(name: str, value: float) -> Figure:
        return Figure("", name, value, "", 0.0, "lower", is_guarded=True)

    return [
        Figure("", "damaged images sent", len(outcomes), "", float(sent_of), is_guarded=True),
        none("answers 5xx, or none at all", server_errors),
        none("processes that ended", crashes),
        none("answers after the deadline", late),
        none("answers that are no documented refusal of an image", others),
        Figure(
            "", "longest wait", max(one.seconds for one in outcomes) * 1000, "ms", None, "lower"
        ),
    ]


def tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """Answers by what was sent and by what was done to it; what should not have been."""
    found = [
        _codes("Answers by the form of the original", outcomes, lambda one: [_form(one)]),
        _codes("Answers by damage", outcomes, lambda one: list(one.mutation.damages)),
        _waits(outcomes),
        _slowest(outcomes),
    ]
    wrong = [one for one in outcomes if one.fault is not None]
    if wrong:
        rows: list[list[Cell]] = [
            [one.mutation.number, one.mutation.name, one.route, one.fault or ""]
            for one in wrong[:_MOST_LISTED]
        ]
        found.append(Table("What should not have been", ["number", "image", "to", "answer"], rows))
    return found


def keep_failures(outcomes: Sequence[Outcome], seed: int, folder: Path) -> int:
    """Write every image that did not get what it should, and how to make it. Returns how many."""
    wrong = [one for one in outcomes if one.fault is not None]
    for one in wrong:
        stem = folder / f"seed{seed}-{one.mutation.number}"
        folder.mkdir(parents=True, exist_ok=True)
        stem.with_suffix(".bin").write_bytes(one.mutation.data)
        facts = {
            "image": one.mutation.name,
            "sent_to": one.route,
            "answer": one.fault,
            "seconds": round(one.seconds, 3),
            "made_by": f"python -m bench.mutations.image {seed} {one.mutation.number}",
            "sent_by": f"curl -F image=@{stem.name}.bin -H 'X-Api-Key: …' URL{one.route}",
        }
        text = json.dumps(facts, indent=2, ensure_ascii=False)
        stem.with_suffix(".json").write_text(text + "\n", "utf-8")
    return len(wrong)


def _slowest(outcomes: Sequence[Outcome]) -> Table:
    slowest = sorted(outcomes, key=lambda one: one.seconds, reverse=True)[:_MOST_SLOW]
    rows: list[list[Cell]] = [
        [one.mutation.name, one.route, f"{one.status} {one.code}", round(one.seconds * 1000, 1)]
        for one in slowest
    ]
    return Table("The slowest", ["image", "to", "answer", "ms"], rows)


def _form(one: Outcome) -> str:
    return one.mutation.original.rpartition(" of picture ")[0]


def _codes(title: str, outcomes: Sequence[Outcome], keys: _Keys) -> Table:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes:
        for key in keys(one):
            counted[key][f"{one.status} {one.code}"] += 1
    columns = sorted({answer for counts in counted.values() for answer in counts})
    rows: list[list[Cell]] = [
        [key, *(counts[answer] for answer in columns)] for key, counts in sorted(counted.items())
    ]
    return Table(title, ["", *columns], rows)


def _waits(outcomes: Sequence[Outcome]) -> Table:
    by_answer: dict[str, list[float]] = defaultdict(list)
    for one in outcomes:
        by_answer[f"{one.status} {one.code}"].append(one.seconds)
    rows: list[list[Cell]] = [
        [answer, len(seconds), *Latencies.of(seconds).row()]
        for answer, seconds in sorted(by_answer.items())
    ]
    return Table("How long the answers took", ["answer", "images", *LATENCY_COLUMNS], rows)
