"""Settings that cannot work stop the start with one line, and never show a secret."""

from __future__ import annotations

import pytest

from edge.settings import EdgeSettings, SettingsError, load_settings
from edge.use_cases.model import FacesPolicy


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("EDGE_") or name == "API_KEY":
            monkeypatch.delenv(name)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "k")
    monkeypatch.setenv("EDGE_SEARCH_FACES", "prominent")
    monkeypatch.setenv("EDGE_INFERENCE_TARGETS", "a:1, unix:/b ,c:2")
    settings = load_settings()
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "k"
    assert settings.search_faces is FacesPolicy.PROMINENT
    assert settings.targets == ("a:1", "unix:/b", "c:2")


def test_flags_go_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_PORT", "1")
    assert load_settings(port=2).port == 2


def test_an_empty_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "")
    assert load_settings().api_key is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("EDGE_PROT", "1", ["EDGE_PROT", "EDGE_PORT"]),
        ("EDGE_SCORE_TRESHOLD", "1", ["EDGE_SCORE_THRESHOLD"]),
        ("EDGE_PORT", "70000", ["EDGE_PORT=70000: must be a whole number from 0 to 65535"]),
        ("EDGE_PORT", "s3cret", ["EDGE_PORT: must be a whole number from 0 to 65535"]),
        ("EDGE_MAX_IN_FLIGHT", "0", ["EDGE_MAX_IN_FLIGHT=0: must be a whole number of at least 1"]),
        ("EDGE_SWEEP_SECONDS", "-1", ["EDGE_SWEEP_SECONDS=-1: must be a number above 0"]),
        ("EDGE_SCORE_THRESHOLD", "nan", ["EDGE_SCORE_THRESHOLD: must be a number from -1 to 1"]),
        ("EDGE_MIN_QUALITY", "1.5", ["EDGE_MIN_QUALITY=1.5: must be a number from 0 to 1"]),
        ("EDGE_LOW_QUALITY", "drop", ["EDGE_LOW_QUALITY: must be 'mark' or 'refuse'"]),
        ("EDGE_LOW_QUALITY", "refuse", ["EDGE_MIN_QUALITY"]),
        ("EDGE_SEARCH_FACES", "some", ["EDGE_SEARCH_FACES", "prominent"]),
        ("EDGE_DEFAULT_TIMEOUT_SECONDS", "60", ["EDGE_MAX_TIMEOUT_SECONDS"]),
        ("EDGE_INFERENCE_TARGETS", " , ", ["EDGE_INFERENCE_TARGETS"]),
        ("EDGE_INFERENCE_TLS_KEY", "edge.key", ["EDGE_INFERENCE_TLS_CERT", "belong together"]),
        ("EDGE_INFERENCE_TLS_SERVER_NAME", "x", ["need EDGE_INFERENCE_TLS_CA"]),
        ("EDGE_AUDIT_LOG", "audit", ["EDGE_AUDIT_LOG: must be the absolute path of a file"]),
    ],
)
def test_a_setting_that_cannot_be_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: list[str]
) -> None:
    monkeypatch.setenv("API_KEY", "s3cret")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert "\n" not in message
    assert "s3cret" not in message
    for word in words:
        assert word in message


def test_every_setting_says_what_it_is_for() -> None:
    for name, field in EdgeSettings.model_fields.items():
        assert field.description, name
        assert field.description.rstrip().endswith((".", ")")), name
