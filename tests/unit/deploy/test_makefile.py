"""What `make` does with an environment that is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.processes import ROOT

PYTHON = ".venv/.stamps/python"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / PYTHON).parent.mkdir(parents=True)
    return tmp_path


def what_make_would_do(checkout: Path) -> str:
    command = ["make", "--no-print-directory", "-n", "-C", str(checkout), PYTHON]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_an_environment_is_made_once(checkout: Path) -> None:
    assert "-m venv" in what_make_would_do(checkout)
    (checkout / PYTHON).write_text(f"{checkout}\n")
    assert "-m venv" not in what_make_would_do(checkout)


def test_one_that_was_moved_is_made_anew(checkout: Path) -> None:
    # Its commands name the folder that they were made in, and cannot start from another.
    (checkout / PYTHON).write_text("/where/it/was\n")
    assert "-m venv --clear .venv" in what_make_would_do(checkout)
