"""Whether a process traces at all: its settings say so, and it starts only if it can."""

from __future__ import annotations

import sys

import pytest

from edge.errors import StartRefused
from edge.settings import EdgeSettings
from edge.settings import SettingsError as EdgeSettingsError
from edge.settings import load_settings as load_edge_settings
from edge.tracing import open_tracing as open_edge_tracing
from inference.calls import Call
from inference.errors import StartError
from inference.settings import SettingsError, load_settings
from inference.tracing import NO_TRACING, UNTRACED
from inference.tracing import open_tracing as open_inference_tracing

URL = "http://127.0.0.1:9"


def nothing_is_lost(reason: str, spans: int) -> None:
    raise AssertionError(f"{spans} spans: {reason}")


async def test_without_a_url_nothing_is_traced() -> None:
    async with open_edge_tracing(EdgeSettings(), "1", nothing_is_lost) as tracing:
        assert tracing is None
    async with open_inference_tracing("", 1.0, version="1", on_lost=nothing_is_lost) as of_calls:
        assert of_calls is NO_TRACING
        assert of_calls.of_batches is None
        assert of_calls.call("Analyze", [("traceparent", "00-aa-bb-01")]) is UNTRACED


def test_what_is_not_traced_makes_no_new_objects() -> None:
    call = Call.begin("caller", 1.0)
    with call.trace.part("photo") as part:
        assert part is call.trace
        assert call.under(part) is call


async def test_an_edge_without_the_extra_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "telemetry.export", None)
    settings = EdgeSettings(tracing_url=URL)
    with pytest.raises(StartRefused, match=r"facesearch\[otel\]"):
        async with open_edge_tracing(settings, "1", nothing_is_lost):
            pass


async def test_inference_without_the_extra_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "telemetry.export", None)
    with pytest.raises(StartError, match=r"facesearch\[otel\]"):
        async with open_inference_tracing(URL, 1.0, version="1", on_lost=nothing_is_lost):
            pass


async def test_a_certificate_that_cannot_be_read_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")
    with pytest.raises(StartRefused, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
        async with open_edge_tracing(EdgeSettings(tracing_url=URL), "1", nothing_is_lost):
            pass
    with pytest.raises(StartError, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
        async with open_inference_tracing(URL, 1.0, version="1", on_lost=nothing_is_lost):
            pass


@pytest.mark.parametrize(
    "url", ["collector:4318", "grpc://collector:4317", "http://", "http://user:secret@collector"]
)
def test_a_url_that_is_no_collectors_stops_the_start(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_TRACING_URL", url)
    monkeypatch.setenv("INFERENCE_TRACING_URL", url)
    with pytest.raises(EdgeSettingsError, match="EDGE_TRACING_URL") as of_the_edge:
        load_edge_settings()
    with pytest.raises(SettingsError, match="INFERENCE_TRACING_URL") as of_inference:
        load_settings({})
    assert "secret" not in f"{of_the_edge.value} {of_inference.value}"
