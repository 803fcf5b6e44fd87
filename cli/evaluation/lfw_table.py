"""Packs side by side: a column each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import MARKDOWN
from rich.markup import escape
from rich.table import Table

from cli.console import table
from cli.evaluation.figures import LfwOfPack
from cli.evaluation.threshold_report import Format
from cli.evaluation.verification import RULE_OF_THIRTY, OperatingPoint


def side_by_side(titles: Sequence[str], form: Format) -> Table:
    """An empty table with a column of labels and one a pack."""
    columns = ("", *map(escape, titles))
    made = Table(*columns, box=MARKDOWN) if form is Format.MARKDOWN else table(*columns)
    for column in made.columns[1:]:
        column.justify = "right"
        column.overflow = "fold"
    return made


def lfw_table(packs: Sequence[LfwOfPack], form: Format) -> Table:
    """What tells packs apart. All have the same images and pairs."""
    made = side_by_side([pack.title for pack in packs], form)
    cells = [_cells(pack) for pack in packs]
    for label in dict.fromkeys(label for column in cells for label in column):
        # A pack that finds no face has no operating points.
        made.add_row(label, *(column.get(label, "–") for column in cells))
    return made


def _cells(pack: LfwOfPack) -> dict[str, str]:
    """Figures by label, in the order of the rows."""
    figures, embedded = pack.figures, pack.figures.embedded
    accuracy, everything = figures.accuracy, figures.everything
    low, high = figures.accuracy_interval
    error = accuracy.standard_error
    return {
        "version": escape(pack.info.pack.version),
        "embedding": f"{pack.info.pack.dim} values",
        "looks": ", ".join(f"{size}²" for size in pack.info.look_sizes),
        "images": f"{embedded.images:,}",
        "with a face": f"{len(embedded.by_name):,} ({embedded.share_with_face:.2%})",
        "with several faces": f"{embedded.several_faces:,}",
        "unreadable": f"{len(embedded.unreadable):,}",
        "pairs judged": f"{figures.pairs:,}",
        "errors for want of a face": f"{figures.pairs_without_face:,}",
        "accuracy": f"[bold]{accuracy.mean:.2%}[/]",
        "95 % interval (Wilson, over pairs)": f"{low:.2%} to {high:.2%}",
        f"standard deviation of {len(accuracy.accuracies)} folds": f"{100 * accuracy.std:.2f}",
        "standard error of their mean": "–" if error is None else f"{100 * error:.2f}",
        "all against all: pairs of one person": f"{everything.genuine.size:,}",
        "pairs of two people": f"{everything.impostors:,}",
    } | {
        f"TAR at FMR {rate_text(point.target_fmr)} (from threshold)": _tar(
            point, everything.impostors
        )
        for point in figures.points
    }


def _tar(point: OperatingPoint, impostors: int) -> str:
    # Less than one pair: where the threshold would lie is nothing that was seen.
    if point.target_fmr * impostors < 1:
        return "too few pairs"
    mark = "" if point.false_matches >= RULE_OF_THIRTY else "~"
    return f"{mark}{point.tar:.2%} ({point.threshold:.3f})"


def rate_text(rate: float) -> str:
    """Such as "1e-3"."""
    return f"{rate:.0e}".replace("e-0", "e-")
