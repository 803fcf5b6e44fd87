"""Sends selfies to an inference server, past the edge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc

from bench.load.observed import NO_ANSWER, OK
from bench.load.open_loop import Recorder
from bench.load.requests import Selfie
from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub

_STATUS = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""What the edge makes of gRPC's codes; another one counts as no answer."""
_BAD_ITEM = 422


class GrpcSender:
    """Asks `Analyze` what a search asks it: stop when it is clear, embed the one face.

    Of several servers each is asked in turn.
    """

    def __init__(
        self,
        channels: Sequence[grpc.aio.Channel],
        selfies: Sequence[Selfie],
        recorder: Recorder,
        timeout_seconds: float,
    ) -> None:
        self._stubs = [InferenceServiceStub(channel) for channel in channels]
        self._selfies = selfies
        self._recorder = recorder
        self._timeout_seconds = timeout_seconds
        self._calls: set[asyncio.Task[None]] = set()

    def send(self, number: int) -> None:
        """Start request `number` now."""
        call = asyncio.create_task(self._call(number))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, number: int) -> None:
        request = pb.AnalyzeRequest(
            images=[pb.Image(data=self._selfies[number % len(self._selfies)].data)],
            options=pb.DetectOptions(look=pb.LOOK_EARLY_STOP),
            embed=pb.EMBED_MODE_SINGLE,
        )
        self._recorder.sent(number)
        try:
            stub = self._stubs[number % len(self._stubs)]
            answer = await stub.Analyze(request, timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            status = _STATUS.get(error.code(), NO_ANSWER)
            self._recorder.done(number, status, is_right=False)
            return
        result = answer.results[0]
        is_embedded = any(face.embedding for face in result.faces)
        status = _BAD_ITEM if result.status.code else OK
        self._recorder.done(number, status, is_right=is_embedded)
