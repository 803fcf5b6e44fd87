"""What an evaluation measured, for people, for programs and for a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape

from cli.console import note, out, print_json
from cli.evaluation.figures import LfwFigures, LfwOfPack
from cli.evaluation.lfw_table import lfw_table, rate_text
from cli.evaluation.threshold_report import Format, print_thresholds, thresholds_as_json
from cli.evaluation.verification import RULE_OF_THIRTY
from inference.engine import ModelInfo

_LISTED = 10


def print_report(packs: Sequence[LfwOfPack], form: Format) -> None:
    """All figures on stdout: a table with a column a pack; of one pack the thresholds too.

    Markdown: only what is put into a page, the thresholds of one pack or the table of several.
    """
    console = out()
    match form, packs:
        case Format.JSON, _:
            print_json({"packs": [as_document(pack.figures, pack.info) for pack in packs]})
        case Format.MARKDOWN, [pack]:
            print_thresholds(pack.figures, console, Format.MARKDOWN)
        case _:
            console.print(lfw_table(packs, form))
            _print_notes(packs)
            if len(packs) == 1:
                print_thresholds(packs[0].figures, console, form)


def as_document(figures: LfwFigures, info: ModelInfo) -> dict[str, object]:
    """The figures of one pack as JSON has them."""
    embedded, accuracy = figures.embedded, figures.accuracy
    return {
        "pack": info.pack.id,
        "pack_version": info.pack.version,
        "pack_digest": info.pack.digest,
        "space_id": info.pack.space_id,
        "look_sizes": list(info.look_sizes),
        "runtime": info.recogniser.runtime,
        "images": embedded.images,
        "share_with_face": embedded.share_with_face,
        "images_without_face": len(embedded.without_face),
        "without_face": sorted(embedded.without_face),
        "images_unreadable": len(embedded.unreadable),
        "unreadable": dict(sorted(embedded.unreadable.items())),
        "images_with_several_faces": embedded.several_faces,
        "pairs": figures.pairs,
        "pairs_without_face": figures.pairs_without_face,
        "accuracy": accuracy.mean,
        "accuracy_95": list(figures.accuracy_interval),
        "accuracy_std": accuracy.std,
        "accuracy_standard_error": accuracy.standard_error,
        "fold_accuracies": list(accuracy.accuracies),
        "fold_thresholds": list(accuracy.thresholds),
        "genuine_pairs": int(figures.everything.genuine.size),
        "impostor_pairs": figures.everything.impostors,
        "tar_at_fmr": {rate_text(point.target_fmr): point.tar for point in figures.points},
        "threshold_at_fmr": {
            rate_text(point.target_fmr): round(point.threshold, 5) for point in figures.points
        },
        **thresholds_as_json(figures),
    }


def _print_notes(packs: Sequence[LfwOfPack]) -> None:
    if any(len(pack.figures.accuracy.accuracies) == 1 for pack in packs):
        note("One fold: the threshold was chosen on the pairs that it is judged by.")
    rough = [point.false_matches < RULE_OF_THIRTY for p in packs for point in p.figures.points]
    if any(rough):
        note("~: the threshold rests on fewer than 30 pairs of two people (rule of 30).")
    console = out()
    for pack in packs:
        embedded = pack.figures.embedded
        without = [*sorted(embedded.without_face), *sorted(embedded.unreadable)]
        if without:
            console.print(f"{escape(pack.title)}, images without a face:")
        for name in without[:_LISTED]:
            console.print(f"  {escape(name)} {escape(embedded.unreadable.get(name, ''))}".rstrip())
        if len(without) > _LISTED:
            console.print(f"  ... and {len(without) - _LISTED} more (--json lists all)")
