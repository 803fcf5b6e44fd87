"""What thresholds mean, as tables and as JSON."""

from __future__ import annotations

import math
from enum import StrEnum

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from cli.console import note, table
from cli.evaluation.figures import LfwFigures
from cli.evaluation.thresholds import STRANGERS_A_SEARCH, FalseHits, ThresholdForBase, false_hits
from cli.evaluation.verification import RULE_OF_THIRTY, ThresholdFigures


class Format(StrEnum):
    """How figures are printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def thresholds_as_json(figures: LfwFigures) -> dict[str, object]:
    """`thresholds` on the grid, and `threshold_for_base`; bounds apart from what was measured."""
    return {
        "thresholds": [_as_json(row, figures) for row in figures.thresholds],
        "threshold_for_base": [
            {
                "faces": base.faces,
                "expected_false_hits": STRANGERS_A_SEARCH,
                "fmr": base.fmr,
                "threshold": None if base.point is None else round(base.point.threshold, 5),
                "tar": None if base.point is None else base.point.tar,
                "false_matches": None if base.point is None else base.point.false_matches,
            }
            for base in figures.bases
        ],
    }


def _as_json(row: ThresholdFigures, figures: LfwFigures) -> dict[str, object]:
    hits = {str(base.faces): false_hits(row, base.faces).expected for base in figures.bases}
    return {
        "threshold": row.threshold,
        "false_matches": row.false_matches,
        "fmr": row.fmr,
        "fmr_below": row.fmr_bound if row.fmr is None else None,
        "tar": row.tar,
        "expected_false_hits": None if row.fmr is None else hits,
        "expected_false_hits_below": hits if row.fmr is None else None,
    }


def print_thresholds(figures: LfwFigures, console: Console, form: Format) -> None:
    """What each threshold lets through, and which one a base of a size needs."""
    if not figures.thresholds:
        note("Without pairs of one person and pairs of two there is nothing to say of thresholds.")
        return
    bases = [base.faces for base in figures.bases]
    rows = _table(form, "threshold", "FMR", "TAR", *map(_faces, bases))
    for row in figures.thresholds:
        rows.add_row(
            f"{row.threshold:.2f}",
            _fmr(row),
            f"{row.tar:.1%}",
            *(_hits(false_hits(row, faces)) for faces in bases),
        )
    console.print("\nFalse hits to expect in one search, by the number of faces in the base:\n")
    console.print(rows)
    console.print(
        f"\n{figures.everything.impostors:,} pairs of two people. <: none of them was let through; "
        "the bound holds with 95 % confidence (rule of three).\n"
        "~: fewer than 30 were, so the figure may be off by more than 30 %.\n"
        "Both rules are for independent pairs; these share photos, so less is certain."
    )
    rows = _table(form, "faces in the base", "FMR at most", "threshold", "TAR")
    for base in figures.bases:
        rows.add_row(_faces(base.faces), f"{base.fmr:.1e}", *_threshold(base))
    console.print(f"\nAt most {STRANGERS_A_SEARCH:g} false hits a search:\n")
    console.print(rows)


def _table(form: Format, *columns: str) -> Table:
    made = Table(*columns, box=MARKDOWN) if form is Format.MARKDOWN else table(*columns)
    for column in made.columns:
        column.justify = "right"
    return made


def _fmr(row: ThresholdFigures) -> str:
    if row.fmr is None:
        return f"< {_rounded_up(row.fmr_bound):.1e}"
    return f"{'~' if row.is_rough else ''}{row.fmr:.1e}"


def _hits(hits: FalseHits) -> str:
    # More digits than two would be invented.
    count = _rounded_up(hits.expected) if hits.is_bound else float(f"{hits.expected:.1e}")
    mark = "< " if hits.is_bound else "~" if hits.is_rough else ""
    return mark + (f"{count:,.0f}" if count >= 10 else f"{count:.6f}".rstrip("0").rstrip("."))


def _rounded_up(bound: float) -> float:
    """To two digits; down it would claim too much."""
    unit = 10.0 ** (math.floor(math.log10(bound)) - 1)
    return math.ceil(bound / unit - 1e-9) * unit


def _threshold(base: ThresholdForBase) -> tuple[str, str]:
    if base.point is None:
        return "too few pairs", "–"
    mark = "" if base.point.false_matches >= RULE_OF_THIRTY else "~"
    return f"{mark}{base.point.threshold:.2f}", f"{base.point.tar:.1%}"


def _faces(faces: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if faces >= size and faces % size == 0:
            return f"{faces // size} {unit}"
    return f"{faces:,}"
