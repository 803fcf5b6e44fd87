"""The trace of a call: its photos, their stages, and the batches they shared."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import (
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from inference.admission import Admission, Load
from inference.batching import Batcher
from inference.calls import Call
from inference.engine import Engine, ModelInfo
from inference.errors import InvalidImage
from inference.fair_queue import BatchPolicy
from inference.metrics import Metrics
from inference.servicer import InferenceService
from inference.settings import load_settings
from inference.tracing import UNTRACED
from inference.tracing_otel import OtelTracing
from inference.tracing_sampler import sampler
from tests.unit.inference.serving.sessions import GatedRunner
from tests.unit.inference.serving.test_analyze import UPRIGHT, bench, encoded
from tests.unit.inference.serving.test_batching import queued, started
from tests.unit.inference.serving.test_direct import SEARCH, Direct, opened
from tests.unit.inference.serving.test_servicer import PACK, RUNNING, ScriptedEngine, request
from tests.unit.tracing.spans import (
    CALLER_SPAN,
    CALLER_TRACE,
    NOT_SAMPLED,
    SAMPLED,
    Spans,
    context_of,
    facts_of,
    names,
)

if TYPE_CHECKING:
    from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceAsyncStub

ANALYZE = "facesearch.inference.v1.InferenceService/Analyze"
INFO = ModelInfo(PACK, RUNNING, RUNNING, (320, 640))


@pytest.fixture
def spans() -> Spans:
    return Spans(sampler(1.0))


@pytest.fixture
def tracing(spans: Spans) -> OtelTracing:
    return OtelTracing(spans.provider, "test")


def traced_call(tracing: OtelTracing, name: str = "caller", traceparent: str = "") -> Call:
    metadata = [("traceparent", traceparent)] if traceparent else []
    return Call(name, trace=tracing.call("Analyze", metadata))


def is_in_turn(spans: list[ReadableSpan]) -> bool:
    """Whether each one begins where the one before it ended."""
    return all(one.end_time == next_.start_time for one, next_ in itertools.pairwise(spans))


class TestOnePhotoOnOneThread:
    async def test_a_photo_is_a_run_and_the_run_its_stages(
        self, spans: Spans, tracing: OtelTracing
    ) -> None:
        async with opened(Direct()) as analyzer:
            call = traced_call(tracing)
            await Engine(analyzer, INFO, Metrics()).analyze(encoded(), SEARCH, call)
            call.trace.end("OK")
        (photo,) = spans.under(spans.one(ANALYZE))
        (run,) = spans.under(photo)
        assert (photo.name, run.name) == ("photo", "run")
        stages = spans.under(run)
        assert names(stages) == ["decode", "detect", "align", "embed"]
        assert is_in_turn(stages)
        assert facts_of(photo) == {"facesearch.faces": 1}

    async def test_a_photo_that_cannot_be_read_says_why_without_its_words(
        self, spans: Spans, tracing: OtelTracing
    ) -> None:
        async with opened(Direct()) as analyzer:
            engine = Engine(analyzer, INFO, Metrics())
            with pytest.raises(InvalidImage):
                await engine.analyze(encoded()[:900], SEARCH, traced_call(tracing))
        for name in ("run", "photo"):
            span = spans.one(name)
            assert facts_of(span) == {"error.type": "InvalidImage"}
            assert span.status.status_code is StatusCode.ERROR
            assert not span.events

    async def test_a_known_face_and_a_crop_are_runs_too(
        self, spans: Spans, tracing: OtelTracing
    ) -> None:
        async with opened(Direct()) as analyzer:
            engine = Engine(analyzer, INFO, Metrics())
            await engine.embed_face(encoded(), UPRIGHT, traced_call(tracing))
            await engine.embed_crop(encoded(112, 112), traced_call(tracing))
        for name, stages in (("face", ["align", "embed"]), ("crop", ["decode", "embed"])):
            (run,) = spans.under(spans.one(name))
            assert names(spans.under(run)) == stages


async def test_in_stages_a_photo_has_those_of_every_round(
    spans: Spans, tracing: OtelTracing
) -> None:
    async with bench(score=0.55) as tested:  # not clear at first sight
        engine = Engine(tested.analyzer, INFO, Metrics())
        await engine.analyze(encoded(), SEARCH, traced_call(tracing))
        await engine.embed_face(encoded(), UPRIGHT, traced_call(tracing))
        await engine.embed_crop(encoded(112, 112), traced_call(tracing))
    stages = spans.under(spans.one("photo"))
    assert names(stages)[:4] == ["decode", "detect", "decode", "detect"]
    assert names(stages)[-2:] == ["align", "embed"]
    assert is_in_turn(stages)
    assert names(spans.under(spans.one("face"))) == ["align", "embed"]
    assert names(spans.under(spans.one("crop"))) == ["decode", "embed"]


class TestBatches:
    @asynccontextmanager
    async def batcher(
        self, runner: GatedRunner, tracing: OtelTracing
    ) -> AsyncIterator[Batcher[int, float]]:
        """Its worker is busy, so that what is submitted now shares the next run."""
        async with Batcher(
            "detector",
            runner.make,
            policy=BatchPolicy(max_batch=4, buckets=(1, 4)),
            trace_run=tracing.of_batches,
        ) as batcher:
            busy = asyncio.create_task(batcher.submit(0, call=Call("busy")))
            await started(runner)
            yield batcher
            await busy

    async def test_a_batch_is_one_span_linked_with_the_photos_in_it(
        self, spans: Spans, tracing: OtelTracing
    ) -> None:
        runner = GatedRunner()
        calls = [traced_call(tracing, name) for name in ("first", "second")]
        with calls[0].trace.part("photo 1") as one, calls[1].trace.part("photo 2") as other:
            async with self.batcher(runner, tracing) as batcher:
                waiting = [
                    asyncio.create_task(batcher.submit(value, call=call.under(part)))
                    for value, call, part in (
                        (1, calls[0], one),
                        (2, calls[1], other),
                        (3, calls[1], other),
                    )
                ]
                await queued(batcher, 3)
                runner.open()
                assert await asyncio.gather(*waiting) == [2.0, 4.0, 6.0]
        batch = spans.one("batch detector")
        photos = [spans.one("photo 1"), spans.one("photo 2")]
        assert batch.parent is None, "it is no request's own"
        assert {
            link.context.span_id: dict(link.attributes or {})["facesearch.items"]
            for link in batch.links
        } == {
            context_of(photos[0]).span_id: 1,
            context_of(photos[1]).span_id: 2,
        }
        for photo in photos:
            assert [link.context.span_id for link in photo.links] == [context_of(batch).span_id]
        assert facts_of(batch) == {
            "facesearch.queue": "detector",
            "facesearch.items": 3,
            "facesearch.padded_items": 4,
            "facesearch.failed_items": 0,
        }

    async def test_a_batch_without_a_traced_photo_leaves_no_span(
        self, spans: Spans, tracing: OtelTracing
    ) -> None:
        runner = GatedRunner()
        async with self.batcher(runner, tracing) as batcher:
            runner.open()
            await batcher.submit(1, call=Call("untraced"))
        assert spans.all == []

    async def test_the_photos_that_are_traced_are_linked_also_among_others(
        self, spans: Spans, tracing: OtelTracing
    ) -> None:
        runner = GatedRunner(poison=frozenset({1}))
        call = traced_call(tracing)
        async with self.batcher(runner, tracing) as batcher:
            waiting = [
                asyncio.create_task(batcher.submit(value, call=each))
                for value, each in ((1, Call("untraced")), (2, call))
            ]
            await queued(batcher, 2)
            runner.open()
            await asyncio.gather(*waiting, return_exceptions=True)
        batch = spans.one("batch detector")
        assert len(batch.links) == 1
        assert (
            facts_of(batch)["facesearch.items"],
            facts_of(batch)["facesearch.failed_items"],
        ) == (
            2,
            1,
        )

    async def test_a_batch_is_taken_with_its_photos_whatever_the_ratio(self) -> None:
        spans = Spans(sampler(0.0))
        tracing = OtelTracing(spans.provider, "test")
        runner = GatedRunner()
        async with self.batcher(runner, tracing) as batcher:
            runner.open()
            await batcher.submit(1, call=traced_call(tracing, traceparent=SAMPLED))
        assert names(spans.all) == ["batch detector"]
        assert tracing.call("Analyze", ()) is UNTRACED


class TestCalls:
    @pytest.fixture
    async def stub(self, tracing: OtelTracing) -> AsyncIterator[InferenceServiceAsyncStub]:
        service = InferenceService(
            load_settings({}), Admission(Load(8, 1000)), Metrics(), "test", tracing
        )
        service.open(ScriptedEngine())
        server = grpc.aio.server()
        add_InferenceServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield InferenceServiceStub(channel)
        await server.stop(None)

    async def test_a_call_joins_the_trace_of_its_caller(
        self, spans: Spans, stub: InferenceServiceAsyncStub
    ) -> None:
        with capture_logs() as lines:
            await stub.Analyze(request(b"good", b"fault"), metadata=(("traceparent", SAMPLED),))
        span = spans.one(ANALYZE)
        assert span.kind is SpanKind.SERVER
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == CALLER_SPAN
        assert f"{context_of(span).trace_id:032x}" == CALLER_TRACE
        assert facts_of(span) == {
            "rpc.system.name": "grpc",
            "rpc.method": ANALYZE,
            "rpc.response.status_code": "OK",
            "facesearch.items": 2,
            "facesearch.faces": 0,
            "facesearch.item_errors": "INTERNAL",
        }
        assert [line["trace_id"] for line in lines if line["event"] == "request"] == [CALLER_TRACE]

    async def test_a_call_that_its_caller_does_not_sample_leaves_no_span(
        self, spans: Spans, stub: InferenceServiceAsyncStub
    ) -> None:
        await stub.Analyze(request(b"good"), metadata=(("traceparent", NOT_SAMPLED),))
        assert spans.all == []

    async def test_a_call_that_fails_says_how_and_only_faults_of_the_server_are_errors(
        self, spans: Spans, stub: InferenceServiceAsyncStub
    ) -> None:
        for content in (b"late", bytes(1001)):
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Analyze(request(content))
        late, refused = spans.named(ANALYZE)
        assert facts_of(late)["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
        assert late.status.status_code is StatusCode.ERROR
        assert facts_of(refused)["rpc.response.status_code"] == "RESOURCE_EXHAUSTED"
        assert refused.status.status_code is StatusCode.UNSET

    async def test_what_a_model_is_asked_for_is_a_span_too(
        self, spans: Spans, stub: InferenceServiceAsyncStub
    ) -> None:
        await stub.GetModelInfo(pb.GetModelInfoRequest())
        assert names(spans.all) == [ANALYZE.replace("Analyze", "GetModelInfo")]
