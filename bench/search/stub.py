"""An inference server without inference: it answers at once with who the photo says is on it.

    python -m bench.search.stub

Says on standard output, as one JSON line, which port it took.
"""

from __future__ import annotations

import json
from typing import Any

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from bench.search.people import DIM, face_of, shown_on
from facesearch.inference.v1 import inference_pb2 as pb

_MODEL = pb.Model(pack="stub", version="1", space_id="stub_512", dim=DIM)
_SIDE = 60.0
_MAX_MESSAGE_BYTES = 64 << 20
_SERVICE = "facesearch.inference.v1.InferenceService"


async def _analyze(request: pb.AnalyzeRequest, _: object) -> pb.AnalyzeResponse:
    return pb.AnalyzeResponse(results=[_seen(image.data) for image in request.images], model=_MODEL)


async def _model_info(_: pb.GetModelInfoRequest, __: object) -> pb.GetModelInfoResponse:
    limits = pb.Limits(max_items=64, max_image_bytes=20 << 20, max_message_bytes=_MAX_MESSAGE_BYTES)
    return pb.GetModelInfoResponse(model=_MODEL, limits=limits)


# An edge calls these two; the rest of the contract is UNIMPLEMENTED.
_METHODS: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
    "Analyze": grpc.unary_unary_rpc_method_handler(
        _analyze,
        request_deserializer=pb.AnalyzeRequest.FromString,
        response_serializer=pb.AnalyzeResponse.SerializeToString,
    ),
    "GetModelInfo": grpc.unary_unary_rpc_method_handler(
        _model_info,
        request_deserializer=pb.GetModelInfoRequest.FromString,
        response_serializer=pb.GetModelInfoResponse.SerializeToString,
    ),
}


def _seen(photo: bytes) -> pb.ImageResult:
    shot, people = shown_on(photo)
    faces = [
        pb.Face(
            box=pb.Box(x=place * _SIDE, y=20, width=_SIDE, height=_SIDE),
            landmarks=[pb.Point(x=place * _SIDE + 10 * point, y=40) for point in range(5)],
            detection_score=0.9,
            quality=pb.Quality(overall=0.8, size=_SIDE, sharpness=0.7),
            counts=True,
            embedding=face_of(person, shot).tobytes(),
        )
        for place, person in enumerate(people)
    ]
    return pb.ImageResult(width=1200, height=900, faces=faces, faces_counted=len(faces))


async def serve() -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, _METHODS),))
    state = health.aio.HealthServicer()
    await state.set(_SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"event": "serving", "port": port}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
