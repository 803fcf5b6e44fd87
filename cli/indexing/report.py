"""What an indexing run did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from cli.console import out, print_json
from cli.indexing.tally import Ending, Tally

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
    tally: Tally
    passed_over: Mapping[str, int]
    """What is no photo, by extension."""
    seconds: float
    consistency: Consistency

    @property
    def is_clean(self) -> bool:
        return not self.tally.failed and self.consistency.is_clean


def print_report(report: IndexReport, *, as_json: bool) -> None:
    """The summary."""
    if as_json:
        print_json(_as_json(report))
        return
    console, tally = out(), report.tally
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    indexed = tally.count(Ending.INDEXED)
    rate = f" ({indexed / report.seconds:.1f} a second)" if indexed and report.seconds else ""
    table.add_row(f"[bold]{indexed}[/]", f"indexed{rate}")
    table.add_row(f"[bold]{tally.count(Ending.UNCHANGED)}[/]", "unchanged")
    table.add_row(f"[bold]{len(tally.without_faces)}[/]", "of them without faces")
    if tally.faces_refused:
        whole = len(tally.refused_whole)
        photos = f"; {whole} of the photos show no better one" if whole else ""
        table.add_row(f"[bold]{tally.faces_refused}[/]", f"faces refused for their quality{photos}")
    if tally.faces_marked:
        table.add_row(f"[bold]{tally.faces_marked}[/]", "faces marked for their quality")
    table.add_row(f"[bold]{len(tally.failed)}[/]", "failed")
    if report.passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.passed_over.items()))
        table.add_row(
            f"[bold]{sum(report.passed_over.values())}[/]", f"passed over, no photos ({kinds})"
        )
    console.print(table)
    _print_list("Without faces", tally.without_faces)
    _print_list("With poor faces only: kept, and in no search", tally.refused_whole)
    _print_list("Failed", [f"{one.photo_id}: {one.reason}" for one in tally.failed])
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
    held = f"every photo that could be taken is in the base once ({report.tally.taken})"
    if consistency.problems is None:
        return f"\n[green]✓[/] {held}"
    if consistency.problems:
        return (
            f"\n[red]The check found {consistency.problems} problems;[/] "
            "see `facesearch check`, mend with `facesearch check --repair`"
        )
    return f"\n[green]✓ the base is consistent[/]: {held}, and the check found nothing"


def _as_json(report: IndexReport) -> dict[str, object]:
    tally = report.tally
    return {
        "collection_id": report.collection_id,
        "photos": tally.photos,
        "indexed": tally.count(Ending.INDEXED),
        "unchanged": tally.count(Ending.UNCHANGED),
        "failed": [{"photo_id": one.photo_id, "reason": one.reason} for one in tally.failed],
        "without_faces": tally.without_faces,
        "faces_refused": tally.faces_refused,
        "faces_marked": tally.faces_marked,
        "refused_whole": tally.refused_whole,
        "passed_over": dict(report.passed_over),
        "missing": list(report.consistency.missing),
        "check_problems": report.consistency.problems,
        "is_consistent": report.consistency.is_clean,
        "seconds": round(report.seconds, 3),
    }
