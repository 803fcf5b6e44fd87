"""Short ways to call an inference server from a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import grpc
import numpy as np
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub

CALL_SECONDS = 120.0
"""Generous: a test machine may be busy with other things."""
UNLIMITED = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


@contextmanager
def stub_of(
    address: str, credentials: grpc.ChannelCredentials | None = None
) -> Iterator[InferenceServiceStub]:
    """A client of the server at this target."""
    channel = (
        grpc.insecure_channel(address, options=UNLIMITED)
        if credentials is None
        else grpc.secure_channel(address, credentials, options=UNLIMITED)
    )
    with channel:
        yield InferenceServiceStub(channel)


def image(path: Path) -> pb.Image:
    return pb.Image(data=path.read_bytes())


def analyze(
    stub: InferenceServiceStub,
    images: Sequence[pb.Image],
    *,
    embed: pb.EmbedMode.ValueType = pb.EMBED_MODE_ALL,
    options: pb.DetectOptions | None = None,
    return_crops: bool = False,
) -> Sequence[pb.ImageResult]:
    """The results of one Analyze call."""
    request = pb.AnalyzeRequest(
        images=images, options=options, embed=embed, return_crops=return_crops
    )
    return list(stub.Analyze(request, timeout=CALL_SECONDS).results)


def vector(data: bytes) -> NDArray[np.float32]:
    """An embedding as the contract sends it."""
    return np.frombuffer(data, dtype="<f4")


def cosine(one: bytes, other: bytes) -> float:
    return float(vector(one) @ vector(other))


def corners(face: pb.Face) -> NDArray[np.float64]:
    """x1, y1, x2, y2."""
    box = face.box
    return np.array([box.x, box.y, box.x + box.width, box.y + box.height])


def reason(status: Status) -> str:
    """The reason in an item's ErrorInfo."""
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "facesearch"
    return str(info.reason)


def retry_seconds(error: grpc.RpcError) -> float | None:
    """What a refused call says about when to come back; None: nothing."""
    for key, value in _call(error).trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            retry = RetryInfo()
            if Status.FromString(value).details[0].Unpack(retry):
                return float(retry.retry_delay.ToTimedelta().total_seconds())
    return None


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    return _call(error).code()


def _call(error: grpc.RpcError) -> grpc.Call:
    # What a stub raises is both; the stubs of the types say that it cannot be.
    return cast("grpc.Call", error)
