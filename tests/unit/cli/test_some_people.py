"""Measuring some of the people only."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.errors import UsageError
from cli.evaluation.command import LfwSource, task_of
from cli.evaluation.lfw import ImageSet, Pair
from cli.evaluation.people import read_people

IMAGES = ImageSet(
    {name: name for name in ("Ann_0001", "Ann_0002", "Bo_0001", "Bo_0002", "Cy_0001")}, str.encode
)
PAIRS = "2\t1\nAnn\t1\t2\nAnn\t1\tBo\t1\nBo\t1\t2\nBo\t1\tCy\t1\n"


def source(folder: Path, people: str | None, pairs: str | None = PAIRS) -> LfwSource:
    files = {"people.txt": people, "pairs.txt": pairs}
    for name, text in files.items():
        if text is not None:
            (folder / name).write_text(text)
    return LfwSource(
        images=folder,
        pairs=folder / "pairs.txt" if pairs is not None else None,
        generate=10,
        seed=1,
        people=folder / "people.txt" if people is not None else None,
    )


def test_names_stand_one_a_line_and_what_follows_a_tab_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text("Ann\n\nBo\t12\n")
    assert read_people(tmp_path / "people.txt") == {"Ann", "Bo"}


def test_without_a_list_everybody_is_measured(tmp_path: Path) -> None:
    task = task_of(source(tmp_path, None), IMAGES)
    assert len(task.names) == 5
    assert [len(fold) for fold in task.folds] == [2, 2]


def test_images_and_pairs_of_the_others_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = task_of(source(tmp_path, "Ann\nBo\nElsewhere\n"), IMAGES)
    assert task.names == ["Ann_0001", "Ann_0002", "Bo_0001", "Bo_0002"]
    assert task.folds[1] == [Pair("Bo_0001", "Bo_0002", same=True)]
    assert "1 of the 3 people" in capsys.readouterr().err


def test_a_fold_without_pairs_is_none(tmp_path: Path) -> None:
    assert [len(fold) for fold in task_of(source(tmp_path, "Ann\n"), IMAGES).folds] == [1]


@pytest.mark.parametrize(
    ("people", "pairs", "said"),
    [
        ("\n", PAIRS, "names nobody"),
        ("Somebody\n", PAIRS, "nobody of .* is on an image"),
        ("Cy\n", PAIRS, "no pair of the pairs file"),
        ("Ann\n", "1\nAnn\t1\t3\nAnn\t1\tBo\t1\n", "lacks 1 of the 2 images"),
        ("Ann\nBo\n", None, "too few images for 10 pairs"),
    ],
)
def test_what_leaves_nothing_to_measure_is_refused(
    tmp_path: Path, people: str, pairs: str | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        task_of(source(tmp_path, people, pairs), IMAGES)
