"""gRPC `Analyze` as a client calls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum

import grpc

from bench.kit.loops import closed_loop
from bench.kit.processes import Service
from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1 import inference_pb2_grpc as rpc

MAX_MESSAGE_BYTES = 64 << 20


class Policy(StrEnum):
    """How a photo is looked at."""

    SEARCH = "search"
    """As a search does: stop when the answer is clear, embed the one face that counts."""
    FULL = "full"
    """As enrolment does: every look, every face."""


class ItemFailed(Exception):
    """The server could not do a photo that it should."""


_OPTIONS = {
    Policy.SEARCH: (pb.LOOK_EARLY_STOP, pb.EMBED_MODE_SINGLE),
    Policy.FULL: (pb.LOOK_FULL, pb.EMBED_MODE_ALL),
}


class _Server:
    """One of those that share the calls."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._service = rpc.InferenceServiceStub(channel)
        self.in_flight = 0

    async def analyze(self, request: pb.AnalyzeRequest) -> pb.AnalyzeResponse:
        self.in_flight += 1
        try:
            return await self._service.Analyze(request)
        finally:
            self.in_flight -= 1


AnalyzeCall = Callable[[bytes], Awaitable[pb.ImageResult]]


@asynccontextmanager
async def analyzing(target: str, policy: Policy) -> AsyncIterator[AnalyzeCall]:
    """A call that analyses one photo at the server behind `target`, or the least busy of several.

    target: as of `Service`. The call raises ItemFailed, or grpc.aio.AioRpcError if it failed as a
    whole.
    """
    options = [
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]
    look, embed = _OPTIONS[policy]
    async with AsyncExitStack() as stack:
        servers = [
            _Server(
                await stack.enter_async_context(grpc.aio.insecure_channel(one, options=options))
            )
            for one in target.split(",")
        ]

        async def analyze(photo: bytes) -> pb.ImageResult:
            request = pb.AnalyzeRequest(
                images=[pb.Image(data=photo)], options=pb.DetectOptions(look=look), embed=embed
            )
            # As the edge chooses.
            server = min(servers, key=lambda one: one.in_flight)
            result = (await server.analyze(request)).results[0]
            if result.status.code:
                raise ItemFailed(result.status.message)
            return result

        yield analyze


def runtime_of(inference: Service) -> str:
    """What runs the detector, such as "onnxruntime 1.31.1"."""

    async def ask() -> str:
        async with grpc.aio.insecure_channel(inference.address) as channel:
            info = await rpc.InferenceServiceStub(channel).GetModelInfo(pb.GetModelInfoRequest())
            return next(one.runtime for one in info.networks if one.role == "detector")

    return asyncio.run(ask())


def analyses(
    target: str, photos: Sequence[bytes], policy: Policy, callers: int = 8
) -> list[pb.ImageResult]:
    """What the server says to each photo, in their order. Raises as `analyzing`."""
    answers: dict[int, pb.ImageResult] = {}

    async def ask() -> None:
        async with analyzing(target, policy) as analyze:

            async def one(number: int) -> None:
                answers[number] = await analyze(photos[number])

            await closed_loop(one, range(len(photos)), callers)

    asyncio.run(ask())
    return [answers[number] for number in range(len(photos))]
