"""What whoever sits at the terminal sees of the processes' logs."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from cli.running.foreground import LogLines

AWAY = json.dumps({"level": "warning", "event": "inference_away", "cause": "nobody listens"})
OTHER = json.dumps({"level": "warning", "event": "store_away", "cause": "no answer"})
QUIET = json.dumps({"level": "info", "event": "started"})


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def lines(screen: io.StringIO, *, shows_all: bool = False) -> LogLines:
    return LogLines(Console(file=screen, width=200), shows_all=shows_all)


def test_that_inference_is_not_there_yet_is_no_warning(screen: io.StringIO) -> None:
    log = lines(screen)
    log("edge", AWAY)
    assert screen.getvalue() == ""

    log.is_starting = False
    log("edge", AWAY)
    assert "inference_away" in screen.getvalue()


def test_other_warnings_are_shown_from_the_first(screen: io.StringIO) -> None:
    log = lines(screen)
    log("edge", OTHER)
    log("edge", QUIET)
    assert screen.getvalue().startswith("edge warning: store_away")
    assert "started" not in screen.getvalue()


def test_all_lines_are_shown_on_demand(screen: io.StringIO) -> None:
    log = lines(screen, shows_all=True)
    log("edge", AWAY)
    log("edge", QUIET)
    assert screen.getvalue().splitlines() == [AWAY, QUIET]
