"""Which files of a context a build sees."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from bench.images.ignore import is_ignored, rules_of, visible

# Everything out, some in, and out again what should never have been in.
RULES = rules_of("# why\n*\n!code\n!README.md\n!deep/inside\n**/__pycache__\n**/*.pyc\n")


@pytest.mark.parametrize(
    ("path", "is_seen"),
    [
        ("README.md", True),
        ("code/a.py", True),
        ("code/sub/b.py", True),
        ("code/sub/b.pyc", False),
        ("code/__pycache__/b.txt", False),
        ("secret", False),
        ("data/README.md", False),
        ("deep/inside/a", True),
        ("deep/outside/a", False),
        ("codes", False),
    ],
)
def test_the_last_rule_that_fits_a_path_or_a_folder_above_decides(path: str, is_seen: bool) -> None:
    assert is_ignored(PurePosixPath(path), RULES) is not is_seen


def test_without_rules_everything_is_seen() -> None:
    assert not is_ignored(PurePosixPath("a/b"), rules_of(""))


def test_walking_finds_the_same_files(tmp_path: Path) -> None:
    for name in ("README.md", "code/a.py", "code/__pycache__/a.pyc", "data/x", "deep/inside/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path) for path in visible(tmp_path, RULES)] == [
        "README.md",
        "code/a.py",
        "deep/inside/y",
    ]
