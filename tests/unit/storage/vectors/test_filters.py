"""Filter expressions: values cannot leave their quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.identity import PhotoKey
from storage.vectors.filters import eligible, is_any_of, is_nowhere, literal, of_collection

_UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n", "\\r": "\r", "\\t": "\t"}


def read_back(text: str) -> str:
    """What Milvus' grammar reads: the value up to the first quote that is not escaped."""
    assert text[0] == '"'
    value, at = [], 1
    while text[at] != '"':
        if text[at] == "\\":
            value.append(_UNESCAPED[text[at : at + 2]])
            at += 2
        else:
            value.append(text[at])
            at += 1
    assert at == len(text) - 1
    return "".join(value)


@given(st.text())
def test_a_literal_is_read_back_as_its_value_and_ends_where_it_should(value: str) -> None:
    assert read_back(literal(value)) == value


@given(st.text())
def test_a_literal_is_one_line(value: str) -> None:
    assert not set("\n\r") & set(literal(value))


def test_a_quote_does_not_end_a_literal() -> None:
    assert literal('x" or photo_id != "') == '"x\\" or photo_id != \\""'


def test_every_face_is_eligible_without_conditions() -> None:
    assert eligible(None, []) == ""


def test_collections_and_photos_become_conditions() -> None:
    photos = [PhotoKey("a", "q"), PhotoKey("a", "p"), PhotoKey("a", "q")]

    assert eligible(frozenset({"b", ""}), photos) == (
        '(collection_id in ["", "b"]) and (not (collection_id == "a" and photo_id in ["p", "q"]))'
    )


def test_a_thousand_conditions_do_not_nest_deeply() -> None:
    text = eligible(None, [PhotoKey(f"c{number}", "p") for number in range(1_000)])

    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    assert depth == 0
    assert deepest <= 12


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (None, False),
        (frozenset({""}), False),
        (frozenset(), True),
        (frozenset({"\ud800"}), True),
        (frozenset({"x" * 513}), True),
    ],
)
def test_nothing_can_be_in_no_collection_and_in_one_that_cannot_be(
    within: frozenset[str] | None, expected: bool
) -> None:
    assert is_nowhere(within) is expected


def test_a_list_of_values_is_escaped_value_by_value() -> None:
    assert is_any_of("revision", ["a", '"]']) == 'revision in ["a", "\\"]"]'


def test_one_collection_is_an_equality_and_in_no_negation() -> None:
    photos = [PhotoKey("a", "q"), PhotoKey("b", "p"), PhotoKey("a", 'p"'), PhotoKey("a", "\ud800")]

    assert of_collection("a", photos) == (
        '(collection_id == "a") and (not (photo_id in ["p\\"", "q"]))'
    )
    assert of_collection('"', photos) == 'collection_id == "\\""'
