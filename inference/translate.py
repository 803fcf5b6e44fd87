"""Between the contract's messages and this package's values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import grpc
import numpy as np
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from facesearch.inference.v1 import inference_pb2 as pb
from inference.engine import ModelInfo
from inference.errors import InvalidCall, InvalidLandmarks, ItemError, ModelFault
from inference.models.pack import Pack
from inference.networks import Running
from inference.pipeline.analyze import EmbeddedFace
from inference.pipeline.faces import (
    Analysis,
    AnalyzedFace,
    AnalyzeOptions,
    Counting,
    EmbedMode,
    FloatArray,
    Pixels,
    Region,
)
from inference.settings import Settings

DOMAIN = "facesearch"
"""Of every ErrorInfo."""
LANDMARKS = 5
MODES = {
    pb.EMBED_MODE_UNSPECIFIED: EmbedMode.ALL,
    pb.EMBED_MODE_ALL: EmbedMode.ALL,
    pb.EMBED_MODE_SINGLE: EmbedMode.SINGLE,
    pb.EMBED_MODE_LARGEST: EmbedMode.LARGEST,
    pb.EMBED_MODE_NONE: EmbedMode.NONE,
}
LOOKS = {
    pb.LOOK_UNSPECIFIED: False,
    pb.LOOK_FULL: False,
    pb.LOOK_EARLY_STOP: True,
}
"""Whether a look may stop early."""


def analyze_options(
    detect: pb.DetectOptions,
    default_min_score: float,
    *,
    embed: EmbedMode = EmbedMode.NONE,
    with_crops: bool = False,
) -> AnalyzeOptions:
    """What a call asks for. Raises InvalidCall."""
    if detect.look not in LOOKS:
        raise InvalidCall(f"options.look: unknown value {detect.look}")
    has_min_score = detect.HasField("min_score")
    return AnalyzeOptions(
        is_early_stop=LOOKS[detect.look],
        counting=_counting(detect.counting),
        min_score=_fraction("min_score", detect.min_score) if has_min_score else default_min_score,
        max_faces=detect.max_faces,
        embed=embed,
        with_crops=with_crops,
    )


def embed_mode(mode: pb.EmbedMode.ValueType) -> EmbedMode:
    """Which faces get an embedding. Raises InvalidCall."""
    if mode not in MODES:
        raise InvalidCall(f"embed: unknown value {mode}")
    return MODES[mode]


def _counting(counting: pb.Counting) -> Counting:
    given = {
        field.name: _fraction(f"counting.{field.name}", value)
        for field, value in counting.ListFields()
    }
    return Counting(**given)


def _fraction(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:  # also refuses NaN
        raise InvalidCall(f"options.{name} must be between 0 and 1, not {value}")
    return value


def region(image: pb.Image) -> Region | None:
    """The part of the photo to look at; None: all of it."""
    if not image.HasField("region"):
        return None
    box = image.region
    return Region(box.x, box.y, box.width, box.height)


def landmarks(points: Sequence[pb.Point]) -> FloatArray:
    """Five points of the photo frame, (5, 2). Raises InvalidLandmarks."""
    if len(points) != LANDMARKS:
        raise InvalidLandmarks(f"a face has exactly five landmarks, not {len(points)}")
    if not all(math.isfinite(point.x) and math.isfinite(point.y) for point in points):
        raise InvalidLandmarks("the landmarks are not finite numbers")
    return np.array([[point.x, point.y] for point in points], dtype=np.float32)


def image_result(analysis: Analysis) -> pb.ImageResult:
    """What one image showed."""
    seconds = analysis.seconds
    return pb.ImageResult(
        width=analysis.width,
        height=analysis.height,
        faces=[_face(face) for face in analysis.faces],
        faces_counted=analysis.faces_counted,
        timing=pb.Timing(
            decode_seconds=seconds.decode,
            detect_seconds=seconds.detect,
            align_seconds=seconds.align,
            embed_seconds=seconds.embed,
        ),
        turn_degrees=analysis.turn,
    )


def embed_result(face: EmbeddedFace, *, with_crop: bool) -> pb.EmbedResult:
    """The embedding of one face."""
    return pb.EmbedResult(
        embedding=vector_bytes(face.embedding), crop=png(face.crop) if with_crop else b""
    )


def _face(face: AnalyzedFace) -> pb.Face:
    x1, y1, x2, y2 = face.box
    quality = face.quality
    return pb.Face(
        box=pb.Box(x=x1, y=y1, width=x2 - x1, height=y2 - y1),
        landmarks=[pb.Point(x=x, y=y) for x, y in face.landmarks.tolist()],
        detection_score=face.score,
        quality=pb.Quality(
            overall=quality.overall,
            size=quality.size,
            sharpness=quality.sharpness,
            yaw=quality.yaw,
            pitch=quality.pitch,
            roll=quality.roll,
        ),
        counts=face.counts,
        embedding=b"" if face.embedding is None else vector_bytes(face.embedding),
        crop=b"" if face.crop is None else png(face.crop),
    )


def vector_bytes(vector: FloatArray) -> bytes:
    """Little-endian float32."""
    return vector.astype("<f4").tobytes()


def png(crop: Pixels) -> bytes:
    """A crop as it is, losslessly."""
    is_done, encoded = cv2.imencode(".png", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    if not is_done:
        raise ModelFault("the crop could not be encoded")
    return bytes(encoded.tobytes())


def failed_image(error: ItemError) -> pb.ImageResult:
    """Why one image could not be done."""
    return pb.ImageResult(status=_item_status(error))


def failed_embed(error: ItemError) -> pb.EmbedResult:
    """Why one face could not be embedded."""
    return pb.EmbedResult(status=_item_status(error))


def _item_status(error: ItemError) -> Status:
    if isinstance(error, ModelFault):
        # What a runtime says of itself is for the log, not for the caller.
        return _status(grpc.StatusCode.INTERNAL, "the model failed at this item", error.reason)
    return _status(grpc.StatusCode.INVALID_ARGUMENT, str(error), error.reason)


def _status(code: grpc.StatusCode, message: str, reason: str) -> Status:
    detail = Any()
    detail.Pack(ErrorInfo(reason=reason, domain=DOMAIN))
    return Status(code=code.value[0], message=message, details=[detail])


def overloaded_details(message: str, retry_after_seconds: float) -> bytes:
    """For the trailer grpc-status-details-bin: when to come back."""
    duration = Duration()
    duration.FromNanoseconds(int(retry_after_seconds * 1e9))
    detail = Any()
    detail.Pack(RetryInfo(retry_delay=duration))
    code: int = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    status = Status(code=code, message=message, details=[detail])
    return bytes(status.SerializeToString())


def model(info: ModelInfo) -> pb.Model:
    """The model that answers."""
    pack = info.pack
    return pb.Model(pack=pack.id, version=pack.version, space_id=pack.space_id, dim=pack.dim)


def model_info(info: ModelInfo, settings: Settings, server_version: str) -> pb.GetModelInfoResponse:
    """What is loaded and how far one call may go."""
    pack = info.pack
    return pb.GetModelInfoResponse(
        model=model(info),
        digest=pack.digest,
        licence=pack.licence,
        networks=[
            _network("detector", pack, pack.detector.name, info.detector),
            _network("recogniser", pack, pack.recogniser.name, info.recogniser),
        ],
        limits=pb.Limits(
            max_items=settings.max_items,
            max_image_bytes=settings.max_image_bytes,
            max_image_pixels=settings.max_image_pixels,
            max_message_bytes=settings.max_message_bytes,
        ),
        recommended_thresholds=[
            pb.RecommendedThreshold(false_match_rate=one.false_match_rate, threshold=one.threshold)
            for one in pack.thresholds
        ],
        server_version=server_version,
        look_sizes=info.look_sizes,
    )


def _network(role: str, pack: Pack, file: str, running: Running) -> pb.Network:
    return pb.Network(
        role=role,
        file=file,
        sha256=pack.sha256[file],
        runtime=running.runtime,
        providers=running.providers,
        devices=[running.device],
        batched=running.batched,
    )
