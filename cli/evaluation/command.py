"""`facesearch eval lfw` from the files to the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.markup import escape

from cli.console import err, note, out, print_json, table
from cli.errors import UsageError
from cli.evaluation.faces import Embedded, embed_images
from cli.evaluation.lfw import ImageSet, Pair, open_images, person_of, read_pairs
from cli.evaluation.verification import (
    AllPairs,
    Fold,
    FoldAccuracy,
    OperatingPoint,
    accuracy_over_folds,
    all_against_all,
    operating_point,
)
from cli.logs import quiet_logs
from cli.packs.choice import chosen_pack
from cli.progress import progress
from inference.engine import ModelInfo, open_engine
from inference.settings import load_settings

TARGETS = (1e-2, 1e-3, 1e-4)
_LISTED = 10


@dataclass(frozen=True, slots=True)
class LfwFigures:
    """Everything that was measured."""

    embedded: Embedded
    pairs: int
    pairs_without_face: int
    """Among the pairs; each counts as an error."""
    accuracy: FoldAccuracy
    everything: AllPairs
    points: Sequence[OperatingPoint]
    """One for each of TARGETS; none if there are no pairs of one person or none of two."""


async def evaluate_lfw(
    source: Path, pairs_file: Path, pack: str | None, models_dir: Path | None, *, as_json: bool
) -> None:
    """Embed every image, judge the pairs, print. Raises UsageError or StartError."""
    quiet_logs()
    folds = read_pairs(pairs_file)
    with open_images(source) as images:
        _refuse_missing(images, folds, source)
        settings = load_settings(None, **chosen_pack(pack, models_dir))
        with err().status("loading the models ...") as status:
            async with open_engine(settings) as engine:
                status.stop()
                with progress("images") as bar:
                    task = bar.add_task("embedding", total=len(images.names))
                    embedded = await embed_images(engine, images, lambda: bar.advance(task))
        figures = measure(embedded, folds)
    document = as_document(figures, engine.info)
    if as_json:
        print_json(document)
    else:
        _print(figures, engine.info)


def measure(embedded: Embedded, folds: Sequence[Sequence[Pair]]) -> LfwFigures:
    """The figures, from the embeddings and the pairs."""
    judged = [_fold(embedded, pairs) for pairs in folds]
    names = sorted(embedded.by_name)
    people = {person: number for number, person in enumerate(sorted(map(person_of, names)))}
    with progress("images") as bar:
        task = bar.add_task("all against all", total=len(names))
        everything = all_against_all(
            np.stack([embedded.by_name[name] for name in names])
            if names
            else np.empty((0, 1), np.float32),
            np.array([people[person_of(name)] for name in names], np.int64),
            advance=lambda rows: bar.advance(task, rows),
        )
    has_both = bool(everything.impostors and everything.genuine.size)
    return LfwFigures(
        embedded=embedded,
        pairs=sum(len(fold.scores) for fold in judged),
        pairs_without_face=int(sum(np.isnan(fold.scores).sum() for fold in judged)),
        accuracy=accuracy_over_folds(judged),
        everything=everything,
        points=[operating_point(everything, target) for target in TARGETS if has_both],
    )


def _fold(embedded: Embedded, pairs: Sequence[Pair]) -> Fold:
    found = embedded.by_name
    return Fold(
        np.array(
            [
                float(found[pair.first] @ found[pair.second])
                if pair.first in found and pair.second in found
                else np.nan
                for pair in pairs
            ],
            np.float32,
        ),
        np.array([pair.same for pair in pairs]),
    )


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
    }


def _rate(rate: float) -> str:
    """Such as "1e-3"."""
    return f"{rate:.0e}".replace("e-0", "e-")


def _print(figures: LfwFigures, info: ModelInfo) -> None:
    embedded, accuracy, console = figures.embedded, figures.accuracy, out()
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
    rows = table("FMR at most", "FMR", "threshold", "TAR")
    for point in figures.points:
        rows.add_row(
            _rate(point.target_fmr),
            f"{point.fmr:.2e}",
            f"{point.threshold:.4f}",
            f"{point.tar:.2%}",
        )
    console.print(rows)


def _refuse_missing(images: ImageSet, folds: Sequence[Sequence[Pair]], source: Path) -> None:
    there = set(images.names)
    wanted = {name for pairs in folds for pair in pairs for name in (pair.first, pair.second)}
    missing = sorted(wanted - there)
    if missing:
        raise UsageError(
            f"{source} lacks {len(missing)} of the {len(wanted)} images of the pairs, "
            f"such as {missing[0]}",
            "give the images that belong to the pairs file",
        )
