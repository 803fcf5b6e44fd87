"""What a rehearsal found, as figures and tables. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.kit.figures import Figure
from bench.kit.latency import LATENCY_COLUMNS, Latencies
from bench.kit.result import Cell, Table
from bench.rollout.audit import Audit
from bench.rollout.cluster import Note
from bench.rollout.conduct import Conducted
from bench.rollout.scenarios import Promise
from bench.rollout.verdict import Judged


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """Everything that is known at the end."""

    conducted: Conducted
    judged: Sequence[Judged]
    audited: Audit
    faces: int
    """In the base that is searched."""
    index_files: int
    """Of the vector store; 0: it has no index."""
    notes: Sequence[Note]
    ended_by_themselves: Sequence[str]
    """Pods that nobody had told to."""


def figures(found: Rehearsed) -> list[Figure]:
    """What a rehearsal is run for."""
    journal = found.conducted.journal

    def none(name: str, count: int) -> Figure:
        return Figure("", name, count, "", 0.0, "lower", is_guarded=True)

    scenarios = []
    for one in found.judged:
        scenario = one.happened.scenario
        scenarios.append(none(f"{scenario}: against the promise", len(one.broken)))
        if one.promised.promise is Promise.UNNOTICED:
            scenarios.append(none(f"{scenario}: failed requests", one.failed_first))
        elif one.promised.promise is not Promise.AWAY:
            scenarios.append(none(f"{scenario}: requests without an answer", one.not_answered))
    quiet = [
        request
        for request in journal.requests
        if not any(
            one.happened.begun <= request.first.done < one.happened.end for one in found.judged
        )
    ]
    return [
        *scenarios,
        none("failed requests while nothing happened", sum(not one.first.is_ok for one in quiet)),
        none("wrong answers", sum(one.wrong for one in found.judged)),
        none("acknowledged photos lost", len(found.audited.lost)),
        none("problems that `facesearch check` finds", found.audited.problems),
        none("processes that ended by themselves", len(found.ended_by_themselves)),
        Figure("", "requests a second", journal.rate, "/s"),
        Figure("", "requests", len(journal.requests), ""),
        Figure("", "faces in the base", found.faces, ""),
    ]


def tables(found: Rehearsed) -> list[Table]:
    """Scenarios, what was said, when what was done, and whatever was not as promised."""
    told = [_scenarios(found), _waits(found), _refusals(found), _seen(found), _notes(found)]
    tabled = [table for table in told if table.rows]
    rows: list[list[Cell]] = [
        [one.happened.scenario, text] for one in found.judged for text in one.broken
    ]
    rows += [["acknowledged, and not there", name] for name in found.audited.lost]
    rows += [["ended by itself", name] for name in found.ended_by_themselves]
    return [*tabled, Table("Against the promise", ["", ""], rows)] if rows else tabled


def _scenarios(found: Rehearsed) -> Table:
    begun = found.conducted.begun
    rows: list[list[Cell]] = []
    for one in found.judged:
        happened = one.happened
        rows.append(
            [
                happened.scenario,
                one.promised.promise,
                round(happened.begun - begun),
                round(happened.over - happened.begun, 1),
                len(one.requests),
                one.failed_first,
                one.not_answered,
                one.wrong,
                round(one.back_seconds, 1),
                "broken" if one.broken else "kept",
            ]
        )
    columns = [
        *("scenario", "promised", "at s", "lasted s", "requests", "failed the first time"),
        *("never answered", "wrong", "failed until, s after its end", "promise"),
    ]
    return Table("Scenarios", columns, rows)


def _waits(found: Rehearsed) -> Table:
    rows: list[list[Cell]] = []
    for one in found.judged:
        seconds = [request.seconds for request in one.requests]
        rows.append([one.happened.scenario, *Latencies.of(seconds).row()])
    return Table(
        "How long requests took, from the moment due, all attempts", ["", *LATENCY_COLUMNS], rows
    )


def _refusals(found: Rehearsed) -> Table:
    rows: list[list[Cell]] = []
    for one in found.judged:
        said = Counter(
            attempt.said
            for request in one.requests
            for attempt in request.attempts
            if not attempt.is_ok
        )
        rows += [[one.happened.scenario, text, count] for text, count in said.most_common()]
    return Table("Attempts that were not answered", ["scenario", "what came", "attempts"], rows)


def _seen(found: Rehearsed) -> Table:
    rows: list[list[Cell]] = [
        [one.happened.scenario, text] for one in found.judged for text in one.happened.seen
    ]
    audited = found.audited
    rows.append(["the end", f"{audited.acknowledged} photos were acknowledged under the load"])
    rows += [["the end", f"check: {name}: {value}"] for name, value in audited.check.items()]
    rows.append(["the start", f"{found.index_files} index files (HNSW) in the vector store"])
    return Table("Seen", ["", ""], rows)


def _notes(found: Rehearsed) -> Table:
    begun = found.conducted.begun
    rows: list[list[Cell]] = [
        [round(note.at - begun, 1), note.text] for note in found.notes if note.at >= begun
    ]
    return Table("What was done when", ["s", ""], rows)
