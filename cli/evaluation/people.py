"""Some of the people of an image set only: those that a pack was not trained on, say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from cli.console import note
from cli.errors import UsageError
from cli.evaluation.lfw import Pair, person_of


def read_people(path: Path) -> frozenset[str]:
    """The names of a text file, one a line, written as in the names of the images.

    What stands behind a tab is left out, as in LFW's own lists. Raises UsageError: no such file,
    or nobody in it.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the list of people {path} cannot be read: {error}") from error
    people = frozenset(line.split("\t")[0].strip() for line in lines) - {""}
    if not people:
        raise UsageError(f"{path} names nobody", "write one name a line, such as Abel_Pacheco")
    return people


def images_of(people: Collection[str], names: Sequence[str], path: Path) -> Sequence[str]:
    """The images that show one of these people; how many are on none is noted.

    Raises UsageError: no image shows any of them.
    """
    found = [name for name in names if person_of(name) in people]
    if not found:
        raise UsageError(
            f"nobody of {path} is on an image",
            "write the names as the images have them, such as Abel_Pacheco",
        )
    missing = len(people) - len({person_of(name) for name in found})
    if missing:
        note(f"{missing} of the {len(people)} people of {path} are on no image.")
    return found


def pairs_among(
    people: Collection[str], folds: Sequence[Sequence[Pair]], path: Path
) -> Sequence[Sequence[Pair]]:
    """The pairs that show these people only; folds without any are left out.

    Raises UsageError: no pair is left.
    """
    kept = [
        [pair for pair in fold if {person_of(pair.first), person_of(pair.second)} <= set(people)]
        for fold in folds
    ]
    if not any(kept):
        raise UsageError(
            f"no pair of the pairs file shows people of {path} only",
            "leave out --pairs and make pairs of them with --generate",
        )
    return [fold for fold in kept if fold]
