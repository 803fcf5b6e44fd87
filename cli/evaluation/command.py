"""`facesearch eval lfw` from the files to the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cli.errors import UsageError
from cli.evaluation.draw import Draw
from cli.evaluation.faces import Embedded, embed_images
from cli.evaluation.figures import LfwFigures, LfwOfPack
from cli.evaluation.generated import generate_pairs
from cli.evaluation.lfw import ImageSet, Pair, open_images, person_of, read_pairs
from cli.evaluation.packs import opened, packs_to_measure
from cli.evaluation.people import images_of, pairs_among, read_people
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
from cli.progress import progress

TARGETS = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, slots=True)
class LfwSource:
    """What packs are measured on."""

    images: Path
    """Folder or ZIP."""
    pairs: Path | None
    """LFW's file, or None: `generate` pairs of each kind with `seed`."""
    generate: int
    seed: int
    people: Path | None
    """A list of names, or None: everybody."""
    draw: Draw = Draw.PEOPLE
    """Of `generate`."""


@dataclass(frozen=True, slots=True)
class LfwTask:
    """The images, and the pairs of them, by name."""

    names: Sequence[str]
    folds: Sequence[Sequence[Pair]]


async def evaluate_lfw(
    source: LfwSource,
    asked: Sequence[str],
    models_dir: Path | None,
    *,
    bases: Sequence[int],
    form: Format,
) -> None:
    """With each pack embed every image, judge the pairs; print. Raises UsageError or StartError.

    asked: packs, one after the other; none: the default one. bases: further numbers of faces to
    say false hits for.
    """
    quiet_logs()
    with open_images(source.images) as images:
        task = task_of(source, images)
        packs = packs_to_measure(asked, models_dir)
        measured = []
        for pack in packs:
            async with opened(pack) as engine:
                with progress("images") as bar:
                    embedding = bar.add_task(f"{pack.title}: embedding", total=len(task.names))
                    embedded = await embed_images(
                        engine, images, task.names, partial(bar.advance, embedding)
                    )
            figures = measure(pack.title, embedded, task.folds, sorted({*BASES, *bases}))
            measured.append(LfwOfPack(pack.title, engine.info, figures))
    print_report(measured, form)


def task_of(source: LfwSource, images: ImageSet) -> LfwTask:
    """The images and pairs that are meant. Raises UsageError if they do not fit together."""
    names = images.names
    people = None if source.people is None else read_people(source.people)
    if people is not None and source.people is not None:
        names = images_of(people, names, source.people)
    if source.pairs is None:
        return LfwTask(names, generate_pairs(names, source.generate, source.seed, source.draw))
    folds: Sequence[Sequence[Pair]] = read_pairs(source.pairs)
    if people is not None and source.people is not None:
        folds = pairs_among(people, folds, source.people)
    _refuse_missing(names, folds, source.images)
    return LfwTask(names, folds)


def measure(
    title: str, embedded: Embedded, folds: Sequence[Sequence[Pair]], bases: Sequence[int]
) -> LfwFigures:
    """The figures, from the embeddings and the pairs, for bases of so many faces."""
    judged = [_fold(embedded, pairs) for pairs in folds]
    names = sorted(embedded.by_name)
    people = {person: number for number, person in enumerate(sorted(map(person_of, names)))}
    with progress("images") as bar:
        task = bar.add_task(f"{title}: all against all", total=len(names))
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


def _refuse_missing(names: Sequence[str], folds: Sequence[Sequence[Pair]], source: Path) -> None:
    there = set(names)
    wanted = {name for pairs in folds for pair in pairs for name in (pair.first, pair.second)}
    missing = sorted(wanted - there)
    if missing:
        raise UsageError(
            f"{source} lacks {len(missing)} of the {len(wanted)} images of the pairs, "
            f"such as {missing[0]}",
            "give the images that belong to the pairs file",
        )
