"""What inference says went wrong, in the edge's terms."""

from __future__ import annotations

import grpc
from google.protobuf.message import DecodeError
from google.rpc import (
    error_details_pb2,
    status_pb2,
)

from edge.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InferenceUnavailable,
    InvalidImage,
    InvalidParameter,
    Overloaded,
)

_DETAILS = "grpc-status-details-bin"


class InferenceFault(Exception):
    """Inference failed where it should not have: a bug on one side of the contract."""


def translated(error: grpc.aio.AioRpcError) -> Exception:
    """A call that failed as a whole."""
    message = error.details() or error.code().name
    match error.code():
        # CANCELLED: a server that stopped without waiting for the call; ours raises CancelledError.
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return InferenceUnavailable(f"inference is away: {message}")
        case grpc.StatusCode.UNIMPLEMENTED:
            return InferenceUnavailable(f"what answers is no inference server: {message}")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            seconds = _retry_after_seconds(error)
            if seconds is None:
                return ImageTooLarge("the image is larger than a message to inference may be")
            return _overloaded(seconds)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return _deadline_exceeded()
        case _:
            return InferenceFault(f"{error.code().name}: {message}")


def raise_for_item(status: status_pb2.Status) -> None:
    """Raise what the status of one item says; absent or code 0: nothing."""
    code = status.code
    if code == grpc.StatusCode.OK.value[0]:
        return
    if code == grpc.StatusCode.INVALID_ARGUMENT.value[0]:
        raise _invalid(status)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]:
        raise _overloaded(_retry_info(status) or 1.0)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]:
        raise _deadline_exceeded()
    if code in (grpc.StatusCode.UNAVAILABLE.value[0], grpc.StatusCode.CANCELLED.value[0]):
        raise InferenceUnavailable(f"inference is away: {status.message}")
    raise InferenceFault(f"code {code}: {status.message}")


def _invalid(status: status_pb2.Status) -> Exception:
    info = error_details_pb2.ErrorInfo()
    reason = next((info.reason for detail in status.details if detail.Unpack(info)), "")
    match reason:
        case "INVALID_IMAGE_FORMAT":
            return InvalidImage(status.message)
        case "IMAGE_TOO_LARGE":
            return ImageTooLarge(status.message)
        case "INVALID_REGION":
            return InvalidParameter("bbox", status.message)
        case _:
            return InferenceFault(f"{reason or 'INVALID_ARGUMENT'}: {status.message}")


def _overloaded(seconds: float) -> Overloaded:
    return Overloaded(
        f"inference is busy; come back in {seconds:.1f} s", retry_after_seconds=seconds
    )


def _deadline_exceeded() -> DeadlineExceeded:
    return DeadlineExceeded(
        "inference did not answer within the deadline of the request; allow more time, or try later"
    )


def _retry_after_seconds(error: grpc.aio.AioRpcError) -> float | None:
    """What the call's RetryInfo asks for; None: it carries none."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return _retry_info(status_pb2.Status.FromString(value))
            except DecodeError:
                return None
    return None


def _retry_info(status: status_pb2.Status) -> float | None:
    info = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return None
