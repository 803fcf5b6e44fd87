"""`facesearch eval lfw` from the files to the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cli.console import err
from cli.errors import UsageError
from cli.evaluation.faces import Embedded, embed_images
from cli.evaluation.figures import LfwFigures
from cli.evaluation.lfw import ImageSet, Pair, open_images, person_of, read_pairs
from cli.evaluation.report import print_report
from cli.evaluation.threshold_report import Format
from cli.evaluation.thresholds import BASES, threshold_figures, threshold_for
from cli.evaluation.verification import (
    Fold,
    accuracy_over_folds,
    all_against_all,
    operating_point,
)
from cli.logs import quiet_logs
from cli.packs.choice import chosen_pack
from cli.progress import progress
from inference.engine import open_engine
from inference.settings import load_settings

TARGETS = (1e-2, 1e-3, 1e-4)


async def evaluate_lfw(
    source: Path,
    pairs_file: Path,
    pack: str | None,
    models_dir: Path | None,
    *,
    bases: Sequence[int],
    form: Format,
) -> None:
    """Embed every image, judge the pairs, print. Raises UsageError or StartError.

    bases: further numbers of faces to say false hits for.
    """
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
        figures = measure(embedded, folds, sorted({*BASES, *bases}))
    print_report(figures, engine.info, form)


def measure(
    embedded: Embedded, folds: Sequence[Sequence[Pair]], bases: Sequence[int]
) -> LfwFigures:
    """The figures, from the embeddings and the pairs, for bases of so many faces."""
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
        thresholds=threshold_figures(everything) if has_both else (),
        bases=[threshold_for(everything, faces) for faces in bases if has_both],
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
