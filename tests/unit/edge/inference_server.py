"""A real gRPC server on a free port of this machine, with scripted answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import numpy as np
from google.protobuf.message import Message
from google.rpc import (
    error_details_pb2,
    status_pb2,
)
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import (
    InferenceServiceServicer,
    add_InferenceServiceServicer_to_server,
)

DIM = 4
SERVICE = "facesearch.inference.v1.InferenceService"
PACK = pb.Model(pack="scripted", version="1", space_id="s_scripted", dim=DIM)
VECTOR = np.array([0.5, 0.5, -0.5, 0.5], dtype="<f4")

Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]
Behaviour = Callable[[Context], Awaitable[None]]


def one_face() -> pb.Face:
    return pb.Face(
        box=pb.Box(x=1, y=2, width=30, height=40),
        landmarks=[pb.Point(x=n, y=n + 1) for n in range(5)],
        detection_score=0.75,
        quality=pb.Quality(overall=0.5, size=40, sharpness=0.25, yaw=-8, pitch=3, roll=1),
        counts=True,
        embedding=VECTOR.tobytes(),
    )


@dataclass
class ScriptedInference(InferenceServiceServicer):
    """Answers with one face; what it was asked is kept."""

    name: str = ""
    port: int = 0
    model: pb.Model = field(default_factory=lambda: PACK)
    thresholds: tuple[tuple[float, float], ...] = ((1e-3, 0.35), (1e-4, 0.42))
    item: pb.ImageResult | None = None
    behaviours: list[Behaviour] = field(default_factory=list)
    """What the next calls run into, one each, before they are answered."""
    always: Behaviour | None = None
    asked: list[str] = field(default_factory=list)
    requests: list[Message] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Time to the deadline of each call."""

    async def Analyze(  # noqa: N802
        self, request: pb.AnalyzeRequest, context: Context
    ) -> pb.AnalyzeResponse:
        await self._called("Analyze", request, context)
        item = self.item or pb.ImageResult(
            width=640, height=480, faces=[one_face()], faces_counted=1
        )
        return pb.AnalyzeResponse(results=[item], model=self.model)

    async def Embed(  # noqa: N802
        self, request: pb.EmbedRequest, context: Context
    ) -> pb.EmbedResponse:
        await self._called("Embed", request, context)
        return pb.EmbedResponse(
            results=[pb.EmbedResult(embedding=VECTOR.tobytes())], model=self.model
        )

    async def GetModelInfo(  # noqa: N802
        self, request: pb.GetModelInfoRequest, context: Context
    ) -> pb.GetModelInfoResponse:
        await self._called("GetModelInfo", request, context)
        return pb.GetModelInfoResponse(
            model=self.model,
            recommended_thresholds=[
                pb.RecommendedThreshold(false_match_rate=rate, threshold=threshold)
                for rate, threshold in self.thresholds
            ],
        )

    async def Detect(  # noqa: N802
        self, request: pb.DetectRequest, context: Context
    ) -> pb.DetectResponse:
        raise NotImplementedError

    def AnalyzeStream(  # noqa: N802
        self, request_iterator: object, context: Context
    ) -> AsyncIterator[pb.AnalyzeStreamResponse]:
        raise NotImplementedError

    async def _called(self, rpc: str, request: Message, context: Context) -> None:
        self.asked.append(rpc)
        self.requests.append(request)
        self.metadata.append(
            {key: str(value) for key, value in context.invocation_metadata() or ()}
        )
        self.seconds.append(context.time_remaining() or float("inf"))
        if self.behaviours:
            await self.behaviours.pop(0)(context)
        elif self.always is not None:
            await self.always(context)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


def aborting(code: grpc.StatusCode, detail: Message | None = None) -> Behaviour:
    """Ends the call with this status, `detail` among its details."""

    async def abort(context: Context) -> None:
        status = status_pb2.Status(code=code.value[0], message="scripted")
        if detail is not None:
            status.details.add().Pack(detail)
        trailer = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(code, "scripted", trailer if detail is not None else ())

    return abort


def failed_item(code: grpc.StatusCode, reason: str) -> pb.ImageResult:
    """A result that says what is wrong with its image."""
    result = pb.ImageResult()
    result.status.code = code.value[0]
    result.status.message = "scripted"
    result.status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    return result


@asynccontextmanager
async def serving(
    service: ScriptedInference,
    address: str = "",
    *,
    is_serving: bool = True,
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[health.aio.HealthServicer]:
    """The service behind a port (its own again, if it had one) or a Unix socket; its health."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_InferenceServiceServicer_to_server(service, server)
    status = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    serving = health_pb2.HealthCheckResponse.SERVING
    await status.set(SERVICE, serving if is_serving else health_pb2.HealthCheckResponse.NOT_SERVING)
    place = address or service.target
    port = (
        server.add_insecure_port(place)
        if credentials is None
        else server.add_secure_port(place, credentials)
    )
    service.port = service.port or port
    await server.start()
    try:
        yield status
    finally:
        await server.stop(None)
