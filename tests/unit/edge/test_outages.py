"""An outage of an hour is some lines of a log, not thousands."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from edge.outages import Outages


@dataclass
class Lines:
    """A log that keeps its lines, and the clock."""

    said: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    now: float = 1000.0

    def info(self, event: str, **fields: object) -> None:
        self.said.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.said.append(("warning", event, fields))


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def outages(lines: Lines) -> Outages:
    return Outages(lines, interval_seconds=60, now=lambda: lines.now)


def fail_for(seconds: int, outages: Outages, lines: Lines, name: str = "vectors") -> None:
    """A failure now, and one after each second."""
    outages.away(name, "not ready", cause="refused")
    for _ in range(seconds):
        lines.now += 1
        outages.away(name, "not ready", cause="refused")


def test_the_first_failure_is_said_at_once(outages: Outages, lines: Lines) -> None:
    outages.away("vectors", "not ready", cause="refused")
    assert lines.said == [("warning", "not ready", {"cause": "refused"})]


def test_then_one_line_a_minute_says_how_often(outages: Outages, lines: Lines) -> None:
    fail_for(180, outages, lines)
    assert [fields.get("again") for _, _, fields in lines.said] == [None, 60, 60, 60]
    assert [fields.get("for_seconds") for _, _, fields in lines.said] == [None, 60, 120, 180]


def test_the_return_is_said_once_with_how_long_it_took(outages: Outages, lines: Lines) -> None:
    fail_for(5, outages, lines)
    outages.back("vectors")
    outages.back("vectors")
    assert lines.said[1:] == [("info", "back", {"dependency": "vectors", "away_seconds": 5})]


def test_what_was_never_away_is_not_said_to_be_back(outages: Outages, lines: Lines) -> None:
    outages.back("vectors")
    assert lines.said == []


def test_another_outage_is_said_at_once_again(outages: Outages, lines: Lines) -> None:
    fail_for(5, outages, lines)
    outages.back("vectors")
    fail_for(5, outages, lines)
    assert [level for level, _, _ in lines.said] == ["warning", "info", "warning"]


def test_one_outage_does_not_hide_another(outages: Outages, lines: Lines) -> None:
    fail_for(5, outages, lines, "vectors")
    fail_for(5, outages, lines, "records")
    assert len(lines.said) == 2
