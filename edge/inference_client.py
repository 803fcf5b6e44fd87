"""The FaceAnalyzer that asks the inference service over gRPC."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.inference_channel import CallPolicy
from edge.inference_errors import InferenceFault, raise_for_item
from edge.inference_targets import Metadata, Targets
from edge.inference_tls import ChannelFiles
from edge.use_cases.model import (
    Counting,
    Embed,
    LookPolicy,
    Model,
    SeenFace,
    SeenPhoto,
)
from facesearch.inference.v1 import inference_pb2 as pb
from storage.identity import SpaceId
from storage.records.model import Box, NewFace, Quality

if TYPE_CHECKING:
    from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceAsyncStub

_LOOKS = {LookPolicy.FULL: pb.LOOK_FULL, LookPolicy.EARLY_STOP: pb.LOOK_EARLY_STOP}
_EMBED_MODES = {
    Embed.ALL: pb.EMBED_MODE_ALL,
    Embed.SINGLE: pb.EMBED_MODE_SINGLE,
    Embed.LARGEST: pb.EMBED_MODE_LARGEST,
    Embed.NONE: pb.EMBED_MODE_NONE,
}
_LANDMARKS = 5


class GrpcFaceAnalyzer:
    """A FaceAnalyzer over one or more inference servers.

    A call takes the deadline, the request id and the trace of the request it is made in
    (edge.deadline). To be constructed inside the event loop that will use it.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        tls: ChannelFiles | None = None,
        policy: CallPolicy | None = None,
    ) -> None:
        """`targets`: gRPC names such as "host:50051", "dns:///name:50051" or "unix:/path".

        tls: None: plain connections. A Unix socket is always one.
        """
        self._targets = Targets(targets, tls, policy)
        self._model: Model | None = None
        self._info: pb.GetModelInfoResponse | None = None

    async def analyze(
        self,
        image: bytes,
        *,
        look: LookPolicy,
        embed: Embed,
        counting: Counting = Counting(),  # noqa: B008  # frozen
        region: Box | None = None,
    ) -> SeenPhoto:
        request = pb.AnalyzeRequest(
            images=[pb.Image(data=image, region=None if region is None else _to_box(region))],
            options=pb.DetectOptions(look=_LOOKS[look], counting=_to_counting(counting)),
            embed=_EMBED_MODES[embed],
        )

        async def invoke(
            stub: InferenceServiceAsyncStub, seconds: float, metadata: Metadata
        ) -> pb.AnalyzeResponse:
            return await stub.Analyze(request, timeout=seconds, metadata=metadata)

        started = time.perf_counter()
        response = await self._targets.call(invoke)
        inference_seconds = time.perf_counter() - started
        if len(response.results) != 1:
            raise InferenceFault(f"{len(response.results)} results for one image")
        result = response.results[0]
        raise_for_item(result.status)
        model = self._note(response.model)
        return SeenPhoto(
            width=result.width,
            height=result.height,
            faces=tuple(_seen_face(face, model.dim) for face in result.faces),
            model=model,
            inference_seconds=inference_seconds,
        )

    async def embed(
        self, image: bytes, landmarks: Sequence[tuple[float, float]]
    ) -> tuple[NDArray[np.float32], Model]:
        face = pb.EmbedItem.ImageFace(
            image=pb.Image(data=image), landmarks=[pb.Point(x=x, y=y) for x, y in landmarks]
        )
        request = pb.EmbedRequest(items=[pb.EmbedItem(face=face)])

        async def invoke(
            stub: InferenceServiceAsyncStub, seconds: float, metadata: Metadata
        ) -> pb.EmbedResponse:
            return await stub.Embed(request, timeout=seconds, metadata=metadata)

        response = await self._targets.call(invoke)
        if len(response.results) != 1:
            raise InferenceFault(f"{len(response.results)} results for one face")
        result = response.results[0]
        raise_for_item(result.status)
        model = self._note(response.model)
        return _vector(result.embedding, model.dim), model

    async def model(self, *, is_asked_anew: bool = False) -> Model:
        if is_asked_anew or self._model is None:
            await self._refresh()
        if self._model is None:
            raise InferenceFault("inference does not say which model it runs")
        return self._model

    async def recommended_threshold(self, false_match_rate: float) -> float | None:
        info = self._info if self._info is not None else await self._refresh()
        for entry in info.recommended_thresholds:
            if math.isclose(entry.false_match_rate, false_match_rate, rel_tol=1e-6):
                return entry.threshold
        return None

    async def ping(self) -> None:
        await self._targets.ping()

    async def close(self) -> None:
        await self._targets.close()

    async def _refresh(self) -> pb.GetModelInfoResponse:
        async def invoke(
            stub: InferenceServiceAsyncStub, seconds: float, metadata: Metadata
        ) -> pb.GetModelInfoResponse:
            request = pb.GetModelInfoRequest()
            return await stub.GetModelInfo(request, timeout=seconds, metadata=metadata)

        info = await self._targets.call(invoke)
        self._note(info.model)
        self._info = info
        return info

    def _note(self, answered: pb.Model) -> Model:
        """The model of an answer; what was known of another one is forgotten."""
        model = Model(
            pack=answered.pack,
            version=answered.version,
            space_id=SpaceId(answered.space_id),
            dim=answered.dim,
        )
        if model != self._model:
            self._model = model
            self._info = None
        return model


def _seen_face(face: pb.Face, dim: int) -> SeenFace:
    if len(face.landmarks) != _LANDMARKS:
        raise InferenceFault(f"a face with {len(face.landmarks)} landmarks")
    quality = face.quality
    return SeenFace(
        face=NewFace(
            box=Box(face.box.x, face.box.y, face.box.width, face.box.height),
            landmarks=tuple((point.x, point.y) for point in face.landmarks),
            detection_score=face.detection_score,
            quality=Quality(
                overall=quality.overall,
                size=quality.size,
                sharpness=quality.sharpness,
                yaw=quality.yaw,
                pitch=quality.pitch,
                roll=quality.roll,
            ),
        ),
        counts=face.counts,
        embedding=_vector(face.embedding, dim) if face.embedding else None,
    )


def _vector(data: bytes, dim: int) -> NDArray[np.float32]:
    """(dim,) float32, read-only: a view of the message's bytes."""
    vector = np.frombuffer(data, dtype="<f4")
    if vector.shape != (dim,):
        raise InferenceFault(f"an embedding of {len(data)} bytes, of dim {dim}")
    return vector


def _to_box(box: Box) -> pb.Box:
    return pb.Box(x=box.x, y=box.y, width=box.width, height=box.height)


def _to_counting(counting: Counting) -> pb.Counting:
    return pb.Counting(
        min_face_fraction=counting.min_face_fraction,
        min_inside=counting.min_inside,
        prominent_fraction=counting.prominent_fraction,
        prominent_score=counting.prominent_score,
    )
