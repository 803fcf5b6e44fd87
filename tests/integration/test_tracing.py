"""Traces of real processes, as a real collector gets them; and processes that send none."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.inference_calls import analyze, image, stub_of
from tests.integration.metrics_page import samples
from tests.integration.otlp_receiver import Received, receiving
from tests.integration.processes import Running, inference_environment, run, start
from tests.integration.system import KEY, client_of, edge_environment, start_edge

pytestmark = [pytest.mark.slow, pytest.mark.pack]

CALLER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER_SPAN = "00f067aa0ba902b7"
FROM_CALLER = {"traceparent": f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"}
ANALYZE = "facesearch.inference.v1.InferenceService/Analyze"
STAGES = {"decode", "detect", "align", "embed"}
AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}


@pytest.fixture(scope="module")
def selfie(shared: Path) -> bytes:
    return (shared / "data" / "photos" / "RD_d1.jpeg").read_bytes()


@pytest.fixture(scope="module")
def other_selfie(shared: Path) -> bytes:
    return (shared / "data" / "photos" / "RD_d2.jpeg").read_bytes()


def ended(*processes: Running) -> list[int]:
    """Their exit codes; they stop side by side."""
    for process in processes:
        process.send(signal.SIGTERM)
    return [process.wait() for process in processes]


def path_of(span: Received, spans: Sequence[Received]) -> list[str]:
    """Names from the first span of the trace that came, down to this one."""
    by_id = {one.span_id: one for one in spans}
    names = [span.name]
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        names.insert(0, span.name)
    return names


def test_one_search_is_one_trace_through_both_processes_and_needs_no_collector(
    tmp_path: Path, pack_dir: Path, selfie: bytes, other_selfie: bytes
) -> None:
    with ExitStack() as listening, ExitStack() as running:
        receiver = listening.enter_context(receiving())
        inference = running.enter_context(
            start("inference", inference_environment(pack_dir, TRACING_URL=receiver.url) | AT_ONCE)
        )
        edge = running.enter_context(
            start_edge(tmp_path, inference.address, EDGE_TRACING_URL=receiver.url, **AT_ONCE)
        )
        client = running.enter_context(client_of(edge))
        client.put_photo("secret-photo", selfie, collection="secret-collection")
        client.http.headers.update(FROM_CALLER)
        client.http.headers["X-Request-Id"] = "secret-request"
        answer = client.search(selfie)
        assert [row["photo_id"] for row in answer["results"]] == ["secret-photo"]

        every = receiver.wait_for(
            lambda spans: (
                {"POST /search/", ANALYZE}
                <= {span.name for span in spans if span.trace_id == CALLER_TRACE}
            )
        )
        spans = [span for span in every if span.trace_id == CALLER_TRACE]
        first = next(span for span in spans if span.name == "POST /search/")
        assert (first.service, first.parent_id) == ("facesearch-edge", CALLER_SPAN)
        assert first.facts["http.response.status_code"] == "200"
        stages = [span for span in spans if span.name in STAGES]
        assert {span.name for span in stages} == STAGES
        for stage in stages:
            assert stage.service == "facesearch-inference"
            assert path_of(stage, spans) == [
                "POST /search/",
                "inference.analyze",
                ANALYZE,
                "photo",
                "run",
                stage.name,
            ]
        assert path_of(next(s for s in spans if s.name == "vectors.search"), spans) == [
            "POST /search/",
            "vectors.search",
        ]
        # An enrolment waits for the stores as they really are.
        enrolled = {span.name for span in every if span.trace_id != CALLER_TRACE}
        assert {"records.begin", "photos.put", "vectors.add", "records.commit_live"} <= enrolled
        for process in (edge, inference):
            assert process.wait_for_event("request", trace_id=CALLER_TRACE)
        for secret in (b"secret-", KEY.encode()):
            assert secret not in receiver.bytes

        listening.close()
        client.search(other_selfie)
        for process in (edge, inference):
            process.wait_for_event("spans_lost", reason="not_taken")
        lost = samples(edge.port)['facesearch_edge_spans_lost_total{reason="not_taken"}']
        assert lost >= 1
        assert ended(edge, inference) == [0, 0]


def test_a_batch_is_linked_with_its_photos_and_is_sent_before_the_process_ends(
    pack_dir: Path, shared: Path
) -> None:
    photos = [image(path) for path in sorted((shared / "data" / "photos").iterdir())[:4]]
    with receiving() as receiver:
        settings = inference_environment(
            pack_dir, TRACING_URL=receiver.url, MAX_BATCH="4", RUNTIME="onnxruntime"
        )
        with (
            start("inference", settings | AT_THE_END) as inference,
            stub_of(inference.address) as stub,
        ):
            analyze(stub, photos)
            assert receiver.spans == []
            assert inference.terminate() == 0
        spans = receiver.spans
    by_id = {span.span_id: span for span in spans}
    (call,) = [span for span in spans if span.name == ANALYZE]
    of_photos = [span for span in spans if span.name == "photo"]
    assert [span.parent_id for span in of_photos] == [call.span_id] * 4
    batches = [span for span in spans if span.name.startswith("batch ")]
    assert {span.name for span in batches} == {"batch detector", "batch recogniser"}
    assert max(len(batch.links) for batch in batches) > 1, "none was shared"
    for batch in batches:
        assert batch.parent_id == ""
        assert batch.trace_id != call.trace_id
        for link in batch.links:
            assert by_id[link].name == "photo"
            assert batch.span_id in by_id[link].links


def test_processes_that_are_not_asked_to_trace_load_nothing_that_sends(
    tmp_path: Path, pack_dir: Path, selfie: bytes
) -> None:
    def command(module: str) -> list[str]:
        return [sys.executable, "-X", "importtime", "-m", module]

    with run(command("inference"), inference_environment(pack_dir)) as inference:
        inference.wait_until_serving()
        with run(command("edge"), edge_environment(tmp_path, inference.address)) as edge:
            edge.wait_until_serving()
            with client_of(edge) as client:
                client.http.headers.update(FROM_CALLER)
                client.search(selfie)
            assert ended(edge, inference) == [0, 0]
    loaded = {
        process: "\n".join(line for line in process.lines("stderr") if "import time:" in line)
        for process in (edge, inference)
    }
    assert "edge.serve" in loaded[edge]
    assert "inference.server" in loaded[inference]
    assert "opentelemetry" not in loaded[inference]
    # FastAPI loads the interface of OpenTelemetry, which does nothing by itself.
    for sender in ("opentelemetry.sdk", "opentelemetry.exporter", "edge.tracing_otel"):
        assert sender not in loaded[edge]
