"""The gRPC service in this process, over an engine that does what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from structlog.testing import capture_logs

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import (
    InferenceServiceStub,
    add_InferenceServiceServicer_to_server,
)
from inference.admission import NOTHING, Admission, Load
from inference.calls import Call
from inference.engine import Engine, ModelInfo
from inference.errors import DeadlinePassed, ModelFault
from inference.metrics import Metrics
from inference.models.graphs import INSIDE, DetectorGraph, RecogniserGraph, RowOrder
from inference.models.pack import Pack
from inference.networks import Running
from inference.pipeline.faces import Analysis, AnalyzeOptions, Region, StageSeconds
from inference.servicer import InferenceService
from inference.settings import load_settings

if TYPE_CHECKING:
    # Only the types know it: at run time one class serves both.
    from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceAsyncStub

NOWHERE = Path("none.onnx")
RUNNING = Running("fake 1", ("Fake",), "cpu", batched=True)
PACK = Pack(
    id="fake",
    version="1",
    folder=Path(),
    detector=NOWHERE,
    recogniser=NOWHERE,
    detector_graph=DetectorGraph(NOWHERE, "in", (), None, INSIDE, RowOrder.INTERLEAVED),
    recogniser_graph=RecogniserGraph(NOWHERE, "in", "out", 8, INSIDE),
    sha256={NOWHERE.name: "0" * 64},
    digest="0" * 64,
    space_id="space_0",
    licence="",
    thresholds=(),
    thresholds_from="",
)


class ScriptedEngine(Engine):
    """The bytes of an image say what happens to it."""

    def __init__(self) -> None:
        self.info = ModelInfo(PACK, RUNNING, RUNNING, (320,))

    async def analyze(
        self, data: bytes, options: AnalyzeOptions, call: Call, region: Region | None = None
    ) -> Analysis:
        match data:
            case b"bug":
                raise ZeroDivisionError("secret of the machine")
            case b"fault":
                raise ModelFault("onnxruntime failed: /secret/path")
            case b"late":
                raise DeadlinePassed("too late")
            case _:
                return Analysis(10, 20, (), 0, StageSeconds(0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def admission() -> Admission:
    return Admission(Load(8, 1000))


@pytest.fixture
def service(admission: Admission) -> InferenceService:
    return InferenceService(load_settings({}), admission, Metrics(), "test")


@pytest.fixture
async def stub(service: InferenceService) -> AsyncIterator[InferenceServiceAsyncStub]:
    server = grpc.aio.server()
    add_InferenceServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield InferenceServiceStub(channel)
    await server.stop(None)


def request(*contents: bytes) -> pb.AnalyzeRequest:
    return pb.AnalyzeRequest(images=[pb.Image(data=data) for data in contents])


async def test_a_bug_that_one_image_brings_out_costs_that_image_only(
    service: InferenceService, stub: InferenceServiceAsyncStub, admission: Admission
) -> None:
    service.open(ScriptedEngine())
    with capture_logs() as logs:
        answer = await stub.Analyze(request(b"good", b"bug", b"fault", b"good"))
    statuses = [result.status for result in answer.results]
    internal = grpc.StatusCode.INTERNAL.value[0]
    assert [status.code for status in statuses] == [0, internal, internal, 0]
    assert "secret" not in str(answer)
    assert [line["event"] for line in logs] == ["unexpected_error", "request"]
    assert admission.held == NOTHING


async def test_a_deadline_fails_the_call_as_a_whole(
    service: InferenceService, stub: InferenceServiceAsyncStub, admission: Admission
) -> None:
    service.open(ScriptedEngine())
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await stub.Analyze(request(b"good", b"late"))
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert admission.held == NOTHING


async def test_before_the_engine_is_warm_calls_are_unavailable(
    stub: InferenceServiceAsyncStub,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="starting") as early:
        await stub.Analyze(request(b"good"))
    assert early.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_more_bytes_than_there_is_room_for_are_refused_with_a_time_to_come_back(
    service: InferenceService, stub: InferenceServiceAsyncStub
) -> None:
    service.open(ScriptedEngine())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Analyze(request(bytes(1001)))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" in dict(refused.value.trailing_metadata())
