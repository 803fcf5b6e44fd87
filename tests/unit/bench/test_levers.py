"""The levers are settings that an inference server knows."""

from __future__ import annotations

import pytest

from bench.levers.levers import Lever, levers, written
from inference.settings import load_settings

SETTINGS = [
    pytest.param(settings, id=f"{lever.name}, {side}")
    for lever in levers()
    for side, settings in (("before", lever.before), ("after", lever.after))
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_server_takes_the_settings_of_every_lever(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    assert load_settings() is not None


def test_every_lever_changes_something() -> None:
    for lever in levers():
        assert lever.before != lever.after or lever.is_over_tcp_before
    assert len({lever.name for lever in levers()}) == len(levers())


def test_settings_are_written_as_in_an_environment() -> None:
    lever = Lever("x", {"INFERENCE_SESSIONS": 2, "INFERENCE_THREADS": 1})
    assert written(lever.before) == "SESSIONS=2 THREADS=1"
    assert written(lever.after) == "default"
