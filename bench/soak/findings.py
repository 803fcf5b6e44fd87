"""What a soak found, as figures and tables. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.kit.figures import Figure
from bench.kit.latency import LATENCY_COLUMNS, Latencies
from bench.kit.result import Cell, Table
from bench.soak.audit import Audit
from bench.soak.conduct import Conducted
from bench.soak.growth import growth, highest
from bench.soak.journal import Journal, Verdict
from bench.soak.recovery import WINDOW_SECONDS, Back, back_to_full_rate, unexplained
from bench.soak.supervised import Supervised

MAX_SECONDS_UNTIL_BACK = 10.0
MAX_GROWTH_PERCENT = 5.0
"""Lives are short, and what a process holds right after a fault is not what it holds at ease."""
_MEGABYTE = 1e6
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class Soaked:
    """Everything that is known at the end."""

    conducted: Conducted
    audited: Audit
    processes: Sequence[Supervised]
    ours: Sequence[Supervised]
    """Those of them whose memory is judged: not that of the Milvus server."""
    warm_up_seconds: float
    """Of a process, before its memory is looked at for growth."""
    is_long: bool
    """Whether times and memory are judged too; a short form says little about them."""

    @property
    def journal(self) -> Journal:
        return self.conducted.journal

    def back(self) -> list[Back]:
        """When the rate was full again after each fault."""
        happened = self.conducted.happened
        nexts = [*(one.begun for one in happened[1:]), float(self.journal.due[-1])]
        return [
            back_to_full_rate(self.journal, one, until)
            for one, until in zip(happened, nexts, strict=True)
        ]


def figures(soaked: Soaked) -> list[Figure]:
    """What a soak is run for."""
    journal, audited = soaked.journal, soaked.audited
    crashes = sum(len(process.ended_by_itself) for process in soaked.processes)
    longest = max((one.seconds for one in soaked.back()), default=0.0)

    def none(name: str, count: int) -> Figure:
        return Figure("", name, count, "", 0.0, "lower", is_guarded=True)

    return [
        none("wrong answers", journal.count(Verdict.WRONG)),
        none("acknowledged photos lost", len(audited.lost)),
        none("removed photos that are listed", len(audited.ghosts)),
        none("problems that `facesearch check` finds", audited.problems),
        none("refusals by other codes than the documented", journal.count(Verdict.UNEXPECTED)),
        none(
            "requests without an answer while the edge ran",
            unexplained(journal, soaked.conducted.happened),
        ),
        none("processes that ended by themselves", crashes),
        Figure(
            "",
            "longest time from the end of a fault to the full rate",
            longest,
            "s",
            MAX_SECONDS_UNTIL_BACK,
            "lower",
            is_guarded=soaked.is_long,
        ),
        *_growth(soaked),
        Figure("", "requests a second", journal.rate, "/s"),
        Figure("", "requests", len(journal), ""),
        Figure(
            "",
            "answered right, of all",
            journal.count(Verdict.RIGHT) / len(journal) * 100,
            "%",
        ),
    ]


def tables(soaked: Soaked) -> list[Table]:
    """Faults, answers, memory, and whatever was wrong."""
    found = [_faults(soaked), _answers(soaked.journal), _waits(soaked.journal), _memory(soaked)]
    audited = soaked.audited
    base: list[tuple[str, Cell]] = [
        ("acknowledged photos, each fetched and compared", audited.acknowledged),
        ("photos whose removal was acknowledged", audited.removed),
        *((f"check: {name}", str(value)) for name, value in audited.check.items()),
    ]
    rows: list[list[Cell]] = [list(line) for line in base]
    found.append(Table("The base at the end", ["", ""], rows))
    wrong = [
        *(("answer", fault) for fault in soaked.journal.faults[:_MOST_LISTED]),
        *(("lost", photo) for photo in audited.lost[:_MOST_LISTED]),
        *(("ghost", photo) for photo in audited.ghosts[:_MOST_LISTED]),
        *(("ended", lines) for one in soaked.processes for lines in one.ended_by_itself),
    ]
    listed: list[list[Cell]] = [list(line) for line in wrong]
    return [*found, Table("What was wrong", ["", ""], listed)] if wrong else found


def _growth(soaked: Soaked) -> list[Figure]:
    grown = [
        (process.name, measured)
        for process in soaked.ours
        if (measured := growth(process.lives, soaked.warm_up_seconds)) is not None
    ]
    return [
        Figure(
            "",
            f"{name}: growth in {one.seconds / 60:.0f} minutes of its longest life",
            one.fraction * 100,
            "%",
            MAX_GROWTH_PERCENT,
            "lower",
        )
        for name, one in grown
        if soaked.is_long
    ]


def _faults(soaked: Soaked) -> Table:
    journal, begun = soaked.journal, soaked.conducted.begun
    rows: list[list[Cell]] = []
    for back in soaked.back():
        one = back.happened
        is_during = (journal.due >= one.begun) & (journal.due < one.undone + back.seconds)
        missed = is_during & (journal.verdict != Verdict.RIGHT)
        rows.append(
            [
                round(one.begun - begun, 1),
                one.fault.kind,
                one.victim,
                round(one.undone - one.begun, 1),
                round(back.seconds, 1) if back.is_back else "not before the next",
                int(is_during.sum()),
                int(missed.sum()),
            ]
        )
    return Table(
        f"Faults (the rate is full when 99 % of {WINDOW_SECONDS:g} s are answered right)",
        ["at s", "fault", "of", "lasted s", "full rate after s", "due until then", "not right"],
        rows,
    )


def _answers(journal: Journal) -> Table:
    counted = Counter(zip(journal.operation, journal.answer, strict=True))
    columns = sorted(set(journal.answer))
    rows: list[list[Cell]] = [
        [operation, *(counted[operation, answer] for answer in columns)]
        for operation in sorted(set(journal.operation))
    ]
    return Table("Answers", ["", *columns], rows)


def _waits(journal: Journal) -> Table:
    taken = (journal.done - journal.due).tolist()
    rows: list[list[Cell]] = []
    for wanted in sorted(set(journal.answer)):
        seconds = [one for one, said in zip(taken, journal.answer, strict=True) if said == wanted]
        rows.append([wanted, len(seconds), *Latencies.of(seconds).row()])
    columns = ["answer", "requests", *LATENCY_COLUMNS]
    return Table("How long they took, from the moment due", columns, rows)


def _memory(soaked: Soaked) -> Table:
    rows: list[list[Cell]] = []
    for process in soaked.processes:
        grown = growth(process.lives, soaked.warm_up_seconds)
        rows.append(
            [
                process.name,
                len(process.lives),
                round(highest(process.lives) / _MEGABYTE, 1),
                "" if grown is None else round(grown.seconds / 60, 1),
                "" if grown is None else round(grown.fraction * 100, 2),
            ]
        )
    columns = [
        "process",
        "times started",
        "highest MB",
        "longest life, warm, min",
        "growth in it, %",
    ]
    return Table("Resident memory", columns, rows)
