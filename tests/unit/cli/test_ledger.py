"""What the service has and what a run met, without a row in memory for each photo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.errors import CommandError
from cli.indexing.ledger import Ledger, Listed
from cli.rest.answers import PhotoRow


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = Ledger()
    yield ledger
    ledger.close()


def row(photo_id: str, status: str = "indexed", sha256: str = "0") -> PhotoRow:
    return PhotoRow(photo_id=photo_id, sha256=sha256, status=status)


def taken(ledger: Ledger, photo_id: str, *, is_refused_whole: bool = False) -> None:
    assert ledger.is_first(photo_id)
    ledger.note_taken(photo_id, is_refused_whole=is_refused_whole)


def test_what_was_listed_is_known(ledger: Ledger) -> None:
    ledger.note_listed(row("é/a'b.jpg", "no_faces", "12"))
    assert ledger.listed("é/a'b.jpg") == Listed("12", "no_faces")
    assert ledger.listed("other.jpg") is None


@pytest.mark.parametrize(
    ("status", "is_done"),
    [("indexed", True), ("no_faces", True), ("detected", False), ("failed", False)],
)
def test_only_what_went_through_is_done(status: str, is_done: bool) -> None:
    assert Listed("0", status).is_done == is_done


def test_a_service_that_lists_a_photo_twice_is_told(ledger: Ledger) -> None:
    ledger.note_listed(row("a"))
    with pytest.raises(CommandError, match="'a' twice"):
        ledger.note_listed(row("a"))
    taken(ledger, "a")
    ledger.note_held(row("a"))
    with pytest.raises(CommandError, match="'a' twice"):
        ledger.note_held(row("a"))


def test_a_name_is_new_once(ledger: Ledger) -> None:
    assert ledger.is_first("a")
    assert not ledger.is_first("a")


def test_what_was_taken_and_is_not_listed_as_it_should_be_is_missing(ledger: Ledger) -> None:
    for name in ("there", "gone", "half", "later"):
        taken(ledger, name)
    assert ledger.is_first("failed")
    for held in (row("there"), row("half", "detected"), row("later", "failed"), row("others")):
        ledger.note_held(held)
    assert ledger.missing() == ["gone", "half", "later"]


def test_a_photo_whose_faces_were_all_refused_is_there_when_it_is_detected(ledger: Ledger) -> None:
    taken(ledger, "poor", is_refused_whole=True)
    ledger.note_held(row("poor", "detected"))
    taken(ledger, "lost", is_refused_whole=True)
    ledger.note_held(row("lost", "failed"))
    assert ledger.missing() == ["lost"]
