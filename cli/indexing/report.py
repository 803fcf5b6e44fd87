"""What an indexing run did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from cli.console import out, print_json
from cli.indexing.upload import Ending, Outcome

_LISTED = 20
"""Lines of a list in a terminal; --json has them all."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """Whether the base holds what it should."""

    missing: Sequence[str]
    """Photos of this run that the service does not list exactly once."""
    problems: int | None
    """What the check of the stores found; None: it was not run."""

    @property
    def is_clean(self) -> bool:
        return not self.missing and not self.problems


@dataclass(frozen=True, slots=True)
class IndexReport:
    """One run."""

    collection_id: str | None
    outcomes: Sequence[Outcome]
    passed_over: Mapping[str, int]
    """Files that are no photos, by extension."""
    seconds: float
    consistency: Consistency

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.ending is Ending.FAILED]

    @property
    def without_faces(self) -> list[str]:
        return [
            outcome.photo_id
            for outcome in self.outcomes
            if outcome.ending is not Ending.FAILED and not outcome.has_faces
        ]

    @property
    def refused_whole(self) -> list[str]:
        """Photos on which every face was too poor to be indexed."""
        return [outcome.photo_id for outcome in self.outcomes if outcome.is_refused_whole]

    @property
    def faces_refused(self) -> int:
        return sum(outcome.faces_refused for outcome in self.outcomes)

    @property
    def faces_marked(self) -> int:
        return sum(outcome.faces_marked for outcome in self.outcomes)

    @property
    def is_clean(self) -> bool:
        return not self.failed and self.consistency.is_clean

    def count(self, ending: Ending) -> int:
        """How many photos ended so."""
        return sum(outcome.ending is ending for outcome in self.outcomes)


def print_report(report: IndexReport, *, as_json: bool) -> None:
    """The summary."""
    if as_json:
        print_json(_as_json(report))
        return
    console = out()
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    indexed = report.count(Ending.INDEXED)
    rate = f" ({indexed / report.seconds:.1f} a second)" if indexed and report.seconds else ""
    table.add_row(f"[bold]{indexed}[/]", f"indexed{rate}")
    table.add_row(f"[bold]{report.count(Ending.UNCHANGED)}[/]", "unchanged")
    table.add_row(f"[bold]{len(report.without_faces)}[/]", "of them without faces")
    if report.faces_refused:
        whole = len(report.refused_whole)
        photos = f"; {whole} of the photos show no better one" if whole else ""
        table.add_row(
            f"[bold]{report.faces_refused}[/]", f"faces refused for their quality{photos}"
        )
    if report.faces_marked:
        table.add_row(f"[bold]{report.faces_marked}[/]", "faces marked for their quality")
    table.add_row(f"[bold]{len(report.failed)}[/]", "failed")
    if report.passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.passed_over.items()))
        table.add_row(
            f"[bold]{sum(report.passed_over.values())}[/]", f"passed over, no photos ({kinds})"
        )
    console.print(table)
    _print_list("Without faces", report.without_faces)
    _print_list("With poor faces only: kept, and in no search", report.refused_whole)
    _print_list("Failed", [f"{one.photo_id}: {one.reason}" for one in report.failed])
    _print_list("Not in the base, or not as sent", list(report.consistency.missing))
    console.print(_verdict(report))


def _print_list(title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    console = out()
    console.print(f"\n[bold]{title}[/]")
    for line in lines[:_LISTED]:
        console.print(f"  {escape(line)}", soft_wrap=True)
    if len(lines) > _LISTED:
        console.print(f"  ... and {len(lines) - _LISTED} more (--json lists all)")


def _verdict(report: IndexReport) -> str:
    """Whether the base is as it should be, in one line."""
    consistency = report.consistency
    if consistency.missing:
        return "\n[red]The base does not hold every photo: run the same command again.[/]"
    there = len(report.outcomes) - len(report.failed)
    held = f"every photo that could be taken is in the base once ({there})"
    if consistency.problems is None:
        return f"\n[green]✓[/] {held}"
    if consistency.problems:
        return (
            f"\n[red]The check found {consistency.problems} problems;[/] "
            "see `facesearch check`, mend with `facesearch check --repair`"
        )
    return f"\n[green]✓ the base is consistent[/]: {held}, and the check found nothing"


def _as_json(report: IndexReport) -> dict[str, object]:
    return {
        "collection_id": report.collection_id,
        "photos": len(report.outcomes),
        "indexed": report.count(Ending.INDEXED),
        "unchanged": report.count(Ending.UNCHANGED),
        "failed": [{"photo_id": one.photo_id, "reason": one.reason} for one in report.failed],
        "without_faces": report.without_faces,
        "faces_refused": report.faces_refused,
        "faces_marked": report.faces_marked,
        "refused_whole": report.refused_whole,
        "passed_over": dict(report.passed_over),
        "missing": list(report.consistency.missing),
        "check_problems": report.consistency.problems,
        "is_consistent": report.consistency.is_clean,
        "seconds": round(report.seconds, 3),
    }
