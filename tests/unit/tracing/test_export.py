"""How spans leave a process: bounded, counted, and never in anybody's way."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer
from structlog.testing import capture_logs

from telemetry.export import close_provider, open_provider
from telemetry.losses import NOT_TAKEN, QUEUE_FULL
from telemetry.outbox import SAY_SECONDS, Outbox

SECONDS = 30.0


class Collector(SpanExporter):
    """Takes spans, once it is let."""

    def __init__(self, answer: SpanExportResult | Exception = SpanExportResult.SUCCESS) -> None:
        self._answer = answer
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_asked.set()
        self.may_answer.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is SpanExportResult.SUCCESS:
            self.names += [span.name for span in spans]
        return self._answer

    def shutdown(self) -> None:
        return


class Losses:
    """What was lost, by reason."""

    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()

    def __call__(self, reason: str, spans: int) -> None:
        self.spans[reason] += spans


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


def through(outbox: Outbox) -> tuple[TracerProvider, Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(outbox)
    return provider, provider.get_tracer("test")


def end(tracer: Tracer, *names: str) -> None:
    for name in names:
        tracer.start_span(name).end()


def test_what_waits_at_the_end_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    collector, losses = Collector(), Losses()
    collector.may_answer.set()
    provider, tracer = through(Outbox(collector, losses))
    end(tracer, "one", "two")
    close_provider(provider, seconds=SECONDS)
    assert collector.names == ["one", "two"]
    assert not losses.spans


def test_what_finds_no_room_is_counted_and_said_once() -> None:
    collector, losses = Collector(), Losses()
    with capture_logs() as lines:
        provider, tracer = through(Outbox(collector, losses, max_spans=4))
        end(tracer, "being sent")
        assert collector.is_asked.wait(SECONDS)
        end(tracer, "a", "b", "c", "too many", "too many", "too many")
        assert losses.spans == {QUEUE_FULL: 3}
        collector.may_answer.set()
        close_provider(provider, seconds=SECONDS)
    assert collector.names == ["being sent", "a", "b", "c"]
    assert [(line["event"], line["reason"]) for line in lines] == [("spans_lost", QUEUE_FULL)]


@pytest.mark.parametrize("answer", [SpanExportResult.FAILURE, OSError("no route to host")])
def test_what_the_collector_does_not_take_is_counted(answer: SpanExportResult | Exception) -> None:
    collector, losses = Collector(answer), Losses()
    collector.may_answer.set()
    with capture_logs() as lines:
        provider, tracer = through(Outbox(collector, losses))
        end(tracer, "one", "two", "three")
        close_provider(provider, seconds=SECONDS)
    assert losses.spans == {NOT_TAKEN: 3}
    assert {line["event"] for line in lines} == {"spans_lost"}


def test_there_is_room_again_once_spans_are_gone() -> None:
    collector, losses = Collector(SpanExportResult.FAILURE), Losses()
    provider, tracer = through(Outbox(collector, losses, max_spans=1))
    end(tracer, "first")
    assert collector.is_asked.wait(SECONDS)
    collector.may_answer.set()
    waiting = time.monotonic() + SECONDS
    while not losses.spans[NOT_TAKEN]:
        assert time.monotonic() < waiting
        threading.Event().wait(0.01)
    end(tracer, "second")
    close_provider(provider, seconds=SECONDS)
    assert losses.spans == {NOT_TAKEN: 2}


def test_losses_are_said_again_after_a_minute_and_added_up() -> None:
    clock = [0.0]
    losses = Losses()
    collector = Collector()
    with capture_logs() as lines:
        outbox = Outbox(collector, losses, max_spans=1, now=lambda: clock[0])
        provider, tracer = through(outbox)
        end(tracer, "being sent")
        assert collector.is_asked.wait(SECONDS)
        end(tracer, *["too many"] * 5)
        clock[0] = SAY_SECONDS
        end(tracer, "too many")
        collector.may_answer.set()
        close_provider(provider, seconds=SECONDS)
    assert [line["spans"] for line in lines] == [1, 5]


def test_a_collector_that_hangs_holds_up_the_end_for_a_bounded_time() -> None:
    collector = Collector()
    provider, tracer = through(Outbox(collector, Losses()))
    end(tracer, "one")
    assert collector.is_asked.wait(SECONDS)
    with capture_logs() as lines:
        started = time.monotonic()
        close_provider(provider, seconds=0.2)
        took = time.monotonic() - started
    collector.may_answer.set()
    assert 0.2 <= took < SECONDS / 2
    assert [line["event"] for line in lines] == ["last_traces_not_sent"]


URL = "http://127.0.0.1:9"
"""Nothing listens there."""


def test_the_environment_names_the_service_where_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "theirs")
    provider = open_provider(URL, ALWAYS_ON, service="ours", version="1", on_lost=Losses())
    facts = provider.resource.attributes
    close_provider(provider)
    assert facts["service.name"] == "theirs"
    assert facts["service.version"] == "1"
    assert facts["deployment.environment.name"] == "staging"


def test_a_variable_that_makes_no_sense_is_said_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
    with capture_logs() as lines:
        close_provider(open_provider(URL, ALWAYS_ON, service="test", version="1", on_lost=Losses()))
    (line,) = lines
    assert line["event"] == "otel_variable_passed_over"
    assert "soon" in line["said"]


def test_what_is_lost_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    losses = Losses()
    with capture_logs() as lines:
        provider = open_provider(URL, ALWAYS_ON, service="test", version="1", on_lost=losses)
        end(provider.get_tracer("test"), "one")
        close_provider(provider, seconds=SECONDS)
    assert losses.spans == {NOT_TAKEN: 1}
    (line,) = lines
    assert "span" in line["cause"]
