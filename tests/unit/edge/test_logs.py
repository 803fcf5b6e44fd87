"""What a line of the log shows of a bug: where it is, and no key, image or vector."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from typing import Literal

import pytest
import structlog

import edge.logs
import inference.logs

SECRET = "fs_a-key-that-nobody-may-read"


@pytest.fixture(autouse=True)
def _own_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers of the test run come back afterwards."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)


def fail_with(key: str) -> None:
    image = key.encode() * 2
    raise LookupError(f"a bug with {len(image)} bytes")


class Pipe(io.StringIO):
    """Standard output, which remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


@pytest.mark.parametrize(
    "configure", [edge.logs.configure_logging, inference.logs.configure_logging]
)
@pytest.mark.parametrize("is_foreign", [False, True])
def test_a_line_is_one_write_so_that_lines_of_several_processes_never_mix(
    monkeypatch: pytest.MonkeyPatch,
    configure: Callable[[Literal["info"], Literal["json"]], None],
    *,
    is_foreign: bool,
) -> None:
    # With PYTHONUNBUFFERED, as images set it, each write is one to the pipe.
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", pipe)
    configure("info", "json")
    if is_foreign:
        logging.getLogger("somebody").warning("said")
    else:
        structlog.get_logger("here").info("said")
    (line,) = [one for one in pipe.writes if one]
    assert "said" in line
    assert line.endswith("\n")


@pytest.mark.parametrize(
    "configure", [edge.logs.configure_logging, inference.logs.configure_logging]
)
@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("is_foreign", [False, True])
def test_a_traceback_shows_no_values_of_variables(
    capsys: pytest.CaptureFixture[str],
    configure: Callable[[Literal["info"], Literal["json", "console"]], None],
    log_format: Literal["json", "console"],
    *,
    is_foreign: bool,
) -> None:
    configure("info", log_format)
    key = SECRET
    try:
        fail_with(key)
    except LookupError:
        if is_foreign:
            logging.getLogger("a library").exception("it failed")
        else:
            structlog.get_logger("ours").exception("it failed")
    shown = capsys.readouterr().out
    assert "a bug with 58 bytes" in shown
    assert "fail_with" in shown
    assert SECRET not in shown
