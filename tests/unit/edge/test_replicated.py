"""An edge that is one of several does not start with what would make it answer wrongly."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from edge.errors import StartRefused
from edge.replicated import CREATE_SECRET, MIN_KEY_CHARACTERS, check_key, check_stores
from edge.settings import EdgeSettings
from storage.settings import StorageSettings

IN_KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
SHARED = StorageSettings(
    records_url="postgresql://u:p4ssword@db/faces",
    vectors_url="http://milvus:19530",
    photos_url="s3://bucket/faces",
)


def edge(key: str | None, *, replicated: bool = True) -> EdgeSettings:
    return EdgeSettings(replicated=replicated, api_key=None if key is None else SecretStr(key))


def refusal_of_key(key: str | None, environment: dict[str, str]) -> str:
    with pytest.raises(StartRefused) as caught:
        check_key(edge(key), environment)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "API_KEY is not set"),
        ("", "API_KEY is not set"),
        ("k" * (MIN_KEY_CHARACTERS - 1), "API_KEY has 15 characters"),
    ],
)
def test_a_key_that_is_missing_empty_or_short_stops_the_start(key: str | None, said: str) -> None:
    message = refusal_of_key(key, {})
    assert said in message
    assert "at least 16 characters" in message
    assert not key or key not in message
    assert "kubectl" not in message


def test_in_kubernetes_the_refusal_says_which_line_creates_the_secret() -> None:
    assert CREATE_SECRET in refusal_of_key(None, IN_KUBERNETES)
    assert CREATE_SECRET.startswith("kubectl -n image-search create secret generic image-search ")


def test_sixteen_characters_and_shared_stores_are_enough() -> None:
    check_key(edge("k" * MIN_KEY_CHARACTERS), IN_KUBERNETES)
    check_stores(edge("k" * MIN_KEY_CHARACTERS), SHARED, IN_KUBERNETES)


def test_photos_may_lie_in_a_folder_that_all_copies_mount() -> None:
    storage = SHARED.model_copy(update={"photos_url": "file:///mnt/photos"})
    check_stores(edge("k" * MIN_KEY_CHARACTERS), storage, {})


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("records_url", ""),
        ("records_url", "sqlite:////data/records.sqlite"),
        ("records_url", "memory://"),
        ("vectors_url", ""),
        ("vectors_url", "memory://"),
        ("photos_url", ""),
        ("photos_url", "memory://"),
    ],
)
def test_a_store_that_copies_cannot_share_is_named(field: str, url: str) -> None:
    storage = SHARED.model_copy(update={field: url})
    with pytest.raises(StartRefused) as caught:
        check_stores(edge("k" * MIN_KEY_CHARACTERS), storage, IN_KUBERNETES)
    message = str(caught.value)
    assert message.startswith(f"STORAGE_{field.upper()}: ")
    assert CREATE_SECRET in message
    assert "p4ssword" not in message


def test_an_edge_that_is_alone_may_have_any_key_and_any_store() -> None:
    check_key(edge(None, replicated=False), IN_KUBERNETES)
    check_stores(edge(None, replicated=False), StorageSettings(), IN_KUBERNETES)
