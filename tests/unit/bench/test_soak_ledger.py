"""The book of a soak: which answers of a search are wrong, and which cannot be told."""

from __future__ import annotations

import pytest

from bench.soak.ledger import Asked, Entry, Found, Ledger, State


def entry(name: str, probe: int = 0, person: str = "her", collection: str = "churn") -> Entry:
    return Entry(name, collection, probe, person, "digest", sent=1.0)


def asked(begun: float = 10.0, ended: float = 11.0, top_k: int = 5) -> Asked:
    return Asked("churn", 0, "her", top_k, begun, ended)


def found(*names: str, collection: str = "churn") -> list[Found]:
    return [Found(name, collection) for name in names]


@pytest.fixture
def ledger() -> Ledger:
    """Two acknowledged photos of one probe, one of somebody else, one whose fate is open."""
    made = Ledger()
    for one in (entry("a"), entry("b"), entry("c", 1, "him"), entry("open")):
        made.sent(one)
        if one.photo_id != "open":
            one.there_since = 2.0
    return made


@pytest.mark.parametrize("rows", [("a", "b"), ("b", "a", "c"), ("open", "a", "b")])
def test_all_of_the_person_in_any_order_is_right(ledger: Ledger, rows: tuple[str, ...]) -> None:
    assert ledger.fault_of(asked(), found(*rows)) is None


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ((), "a is missing"),
        (("a",), "b is missing"),
        (("c", "a", "b"), "c comes first"),
        (("a", "b", "nobody"), "nobody was never sent"),
    ],
)
def test_what_is_missing_foreign_or_not_first_is_wrong(
    ledger: Ledger, rows: tuple[str, ...], fault: str
) -> None:
    assert ledger.fault_of(asked(), found(*rows)) == fault


def test_a_full_page_need_not_show_all(ledger: Ledger) -> None:
    assert ledger.fault_of(asked(top_k=1), found("a")) is None


def test_a_photo_of_another_collection_is_wrong(ledger: Ledger) -> None:
    rows = [*found("a", "b"), *found("c", collection="other")]
    assert ledger.fault_of(asked(), rows) == "c is of another collection"


def test_a_removed_photo_must_not_show_in_a_search_sent_afterwards(ledger: Ledger) -> None:
    ledger["b"].leaving_since = 3.0
    ledger.gone("b", 4.0)
    assert ledger.fault_of(asked(), found("a", "b")) == "b was removed before"
    assert ledger.fault_of(asked(), found("a")) is None


def test_while_it_is_being_removed_a_photo_may_show_or_not(ledger: Ledger) -> None:
    ledger["b"].leaving_since = 10.5
    assert ledger.fault_of(asked(), found("a")) is None
    assert ledger.fault_of(asked(), found("a", "b")) is None
    ledger.gone("b", 10.8)
    assert ledger.fault_of(asked(), found("a", "b")) is None


def test_a_photo_acknowledged_after_the_search_was_sent_may_show_or_not(ledger: Ledger) -> None:
    ledger["b"].there_since = 10.5
    assert ledger.fault_of(asked(), found("a")) is None
    assert ledger.fault_of(asked(), found("a", "b")) is None


def test_the_state_of_a_photo_is_what_was_acknowledged(ledger: Ledger) -> None:
    ledger["a"].leaving_since = 3.0
    ledger["b"].leaving_since = 3.0
    ledger.gone("b", 4.0)
    states = {one.photo_id: one.state for one in ledger.entries()}
    assert states == {"a": State.OPEN, "b": State.GONE, "c": State.KEPT, "open": State.OPEN}
