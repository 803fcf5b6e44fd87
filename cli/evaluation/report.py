"""What an evaluation measured, for people, for programs and for a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from cli.console import note, out, print_json, table
from cli.evaluation.figures import LfwFigures
from cli.evaluation.threshold_report import Format, print_thresholds, thresholds_as_json
from cli.evaluation.verification import OperatingPoint
from inference.engine import ModelInfo

_LISTED = 10


def print_report(figures: LfwFigures, info: ModelInfo, form: Format) -> None:
    """All figures on stdout. Markdown: only the tables of thresholds, to be put into a page."""
    console = out()
    match form:
        case Format.JSON:
            print_json(as_document(figures, info))
        case Format.MARKDOWN:
            print_thresholds(figures, console, Format.MARKDOWN)
        case Format.TEXT:
            _print_images(figures, info, console)
            _print_accuracy(figures, console)
            _print_points(figures.points, console)
            print_thresholds(figures, console, Format.TEXT)


def as_document(figures: LfwFigures, info: ModelInfo) -> dict[str, object]:
    """The figures as JSON has them."""
    embedded, accuracy = figures.embedded, figures.accuracy
    return {
        "pack": info.pack.id,
        "pack_digest": info.pack.digest,
        "space_id": info.pack.space_id,
        "look_sizes": list(info.look_sizes),
        "images": embedded.images,
        "images_without_face": len(embedded.without_face),
        "without_face": sorted(embedded.without_face),
        "images_unreadable": len(embedded.unreadable),
        "unreadable": dict(sorted(embedded.unreadable.items())),
        "images_with_several_faces": embedded.several_faces,
        "pairs": figures.pairs,
        "pairs_without_face": figures.pairs_without_face,
        "accuracy": accuracy.mean,
        "accuracy_std": accuracy.std,
        "accuracy_standard_error": accuracy.standard_error,
        "fold_accuracies": list(accuracy.accuracies),
        "fold_thresholds": list(accuracy.thresholds),
        "genuine_pairs": int(figures.everything.genuine.size),
        "impostor_pairs": figures.everything.impostors,
        "tar_at_fmr": {_rate(point.target_fmr): point.tar for point in figures.points},
        "threshold_at_fmr": {
            _rate(point.target_fmr): round(point.threshold, 5) for point in figures.points
        },
        **thresholds_as_json(figures),
    }


def _print_images(figures: LfwFigures, info: ModelInfo, console: Console) -> None:
    embedded = figures.embedded
    looks = ", ".join(f"{size}²" for size in info.look_sizes)
    console.print(f"[bold]{escape(info.pack.id)}[/] {escape(info.pack.version)}, looks {looks}")
    console.print(
        f"{embedded.images:,} images: {len(embedded.without_face)} without a face, "
        f"{len(embedded.unreadable)} unreadable, {embedded.several_faces:,} with several faces"
    )
    listed = [*sorted(embedded.without_face), *sorted(embedded.unreadable)]
    for name in listed[:_LISTED]:
        console.print(f"  {escape(name)} {escape(embedded.unreadable.get(name, 'no face'))}")
    if len(listed) > _LISTED:
        console.print(f"  ... and {len(listed) - _LISTED} more (--json lists all)")


def _print_accuracy(figures: LfwFigures, console: Console) -> None:
    accuracy = figures.accuracy
    folds = len(accuracy.accuracies)
    error = accuracy.standard_error
    of_the_mean = f"; standard error of the mean {100 * error:.2f}" if error is not None else ""
    console.print(
        f"\naccuracy [bold]{accuracy.mean:.2%}[/] ± {100 * accuracy.std:.2f} on "
        f"{figures.pairs:,} pairs (± standard deviation of {folds} folds{of_the_mean}); "
        f"{figures.pairs_without_face} pairs are errors for want of a face"
    )
    if folds == 1:
        note("One fold: the threshold was chosen on the pairs that it is judged by.")
    console.print(
        f"\nall against all: {figures.everything.genuine.size:,} pairs of one person, "
        f"{figures.everything.impostors:,} of two"
    )


def _print_points(points: Sequence[OperatingPoint], console: Console) -> None:
    rows = table("FMR at most", "FMR", "threshold", "TAR")
    for point in points:
        rows.add_row(
            _rate(point.target_fmr),
            f"{point.fmr:.2e}",
            f"{point.threshold:.4f}",
            f"{point.tar:.2%}",
        )
    console.print(rows)


def _rate(rate: float) -> str:
    """Such as "1e-3"."""
    return f"{rate:.0e}".replace("e-0", "e-")
