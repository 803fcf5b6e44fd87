"""A tag is released if the versions and the changelog fit it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.deploy.workflows import ROOT

SCRIPT = ROOT / "deploy" / "release" / "release.py"
CHANGELOG = """# Changelog

## Unreleased

- Not yet.

## [1.10.0] - 2026-12-01

### Added

- Ten.

## 1.1.0 – 2026-11-01

- One.
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree of version 1.1.0."""
    (tmp_path / "edge").mkdir()
    (tmp_path / "proto").mkdir()
    say(tmp_path, "1.1.0", "1.1.0")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    return tmp_path


def say(tree: Path, service: str, contract: str) -> None:
    (tree / "edge" / "__init__.py").write_text(f'"""Edge."""\n\n__version__ = "{service}"\n')
    (tree / "proto" / "pyproject.toml").write_text(f'[project]\nversion = "{contract}"\n')


def run(tree: Path, command: str, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, command, tag, "--root", tree],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_tag_that_fits_can_be_released(tree: Path) -> None:
    done = run(tree, "check", "v1.1.0")
    assert (done.returncode, done.stdout) == (0, "1.1.0 can be released\n"), done.stderr


@pytest.mark.parametrize(
    ("versions", "tag", "said"),
    [
        (("1.1.0", "1.1.0"), "1.1.0", "names no version"),
        (("1.1.0", "1.1.0"), "v1.1.0; rm -rf", "names no version"),
        (("1.2.0", "1.1.0"), "v1.1.0", "edge/__init__.py says 1.2.0"),
        (("1.1.0", "1.0.9"), "v1.1.0", "proto/pyproject.toml says 1.0.9"),
        (("1.1.1", "1.1.1"), "v1.1.1", "CHANGELOG.md says nothing of 1.1.1"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused_with_the_reason(
    tree: Path, versions: tuple[str, str], tag: str, said: str
) -> None:
    say(tree, *versions)
    done = run(tree, "check", tag)
    assert done.returncode == 1
    assert said in done.stderr


def test_notes_are_the_section_of_that_version_alone(tree: Path) -> None:
    assert run(tree, "notes", "v1.1.0").stdout == "- One.\n"
    assert run(tree, "notes", "v1.10.0").stdout == "### Added\n\n- Ten.\n"
    assert run(tree, "notes", "v1.1").returncode == 1


def test_what_builds_a_release_is_pinned_as_it_is_elsewhere() -> None:
    pin = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
    built = dict(pin.findall((ROOT / "deploy/release/requirements.txt").read_text("utf-8")))
    set_up = dict(pin.findall((ROOT / "requirements/setup.txt").read_text("utf-8")))
    assert built["hatchling"] == set_up["hatchling"]
    assert built["trove-classifiers"] == set_up["trove-classifiers"]


@pytest.mark.parametrize("script", ["deploy/release/build.sh", "deploy/docker/smoke-test.sh"])
def test_scripts_are_shell(script: str) -> None:
    parsed = subprocess.run(["bash", "-n", ROOT / script], capture_output=True, text=True)  # noqa: PLW1510
    assert parsed.returncode == 0, parsed.stderr
