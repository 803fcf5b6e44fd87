"""What a line of the log shows of a bug: where it is, and no key, image or vector."""

from __future__ import annotations

import logging
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
