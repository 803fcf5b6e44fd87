"""The walk of one photo through the stages.

Bytes → header check → room in memory → decode → looks, merged → count → align and judge → embed.
Pixels are worked on in threads, networks run behind batchers that all calls share; each of these
queues drops what nobody waits for any more, so the deadline is honoured before every stage.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.admission import Admission, Load
from inference.batching import Batcher
from inference.calls import Call
from inference.cpu_stage import CpuStage
from inference.errors import InvalidCrop
from inference.pipeline.align import align
from inference.pipeline.decode import decode, read_header
from inference.pipeline.faces import (
    CROP_SIZE,
    Analysis,
    AnalyzedFace,
    AnalyzeOptions,
    DecodeLimits,
    Detections,
    EmbedMode,
    FloatArray,
    Photo,
    Pixels,
    Quality,
    Region,
    StageSeconds,
)
from inference.pipeline.letterbox import DetectorInput, letterbox
from inference.pipeline.looks import Flags, LookPolicy, counted, largest_first
from inference.pipeline.quality import assess
from inference.together import together

BYTES_PER_PIXEL = 3


@dataclass(frozen=True, slots=True)
class DetectorWork:
    """One look at one photo."""

    image: DetectorInput
    min_score: float


@dataclass(frozen=True, slots=True)
class EmbeddedFace:
    """A face that came with its place."""

    embedding: FloatArray
    """(dim,), unit length."""
    crop: Pixels
    """(112, 112, 3)."""


DetectorBatcher = Batcher[DetectorWork, Detections]
RecogniserBatcher = Batcher[Pixels, FloatArray]


class Analyzer:
    """Photos in, faces out. The same bytes and options always give the same answer."""

    def __init__(
        self,
        *,
        pixels: CpuStage,
        detector: DetectorBatcher,
        recogniser: RecogniserBatcher,
        looks: LookPolicy,
        limits: DecodeLimits,
        memory: Admission,
    ) -> None:
        """memory: of decoded photos; those that find no room wait."""
        self._pixels = pixels
        self._detector = detector
        self._recogniser = recogniser
        self._looks = looks
        self._limits = limits
        self._memory = memory

    async def analyze(
        self, data: bytes, options: AnalyzeOptions, call: Call, region: Region | None = None
    ) -> Analysis:
        """What an encoded image shows. region: look only there; None: everywhere.

        Raises ItemError and Dropped.
        """
        watch = _Stopwatch()
        header = read_header(data, self._limits)
        size = Load(1, header.width * header.height * BYTES_PER_PIXEL)
        async with self._memory.wait_and_enter(size):
            photo = await self._pixels.run(lambda: decode(data, self._limits), call)
            decode_seconds = watch.lap()
            found = await self._look(photo, region, options, call)
            counts = counted(found, photo.width, photo.height, options.counting)
            detect_seconds = watch.lap()
            shown = found if options.max_faces == 0 else _first(found, options.max_faces)
            judged = await self._judge(photo, shown, call)
            align_seconds = watch.lap()
        chosen = _to_embed(counts[: len(shown)], int(counts.sum()), options.embed)
        embeddings = await self._embed([judged[face].crop for face in chosen], call)
        faces = _faces(shown, counts, judged, dict(zip(chosen, embeddings, strict=True)), options)
        return Analysis(
            width=photo.width,
            height=photo.height,
            faces=faces,
            faces_counted=int(counts.sum()),
            seconds=StageSeconds(decode_seconds, detect_seconds, align_seconds, watch.lap()),
        )

    async def embed_face(self, data: bytes, landmarks: FloatArray, call: Call) -> EmbeddedFace:
        """The embedding of a face by its landmarks, (5, 2) in the photo frame.

        Raises ItemError and Dropped.
        """
        header = read_header(data, self._limits)
        size = Load(1, header.width * header.height * BYTES_PER_PIXEL)
        async with self._memory.wait_and_enter(size):
            crop = await self._pixels.run(
                lambda: align(decode(data, self._limits), landmarks), call
            )
        return EmbeddedFace((await self._embed([crop], call))[0], crop)

    async def embed_crop(self, data: bytes, call: Call) -> EmbeddedFace:
        """The embedding of an encoded image that is an aligned crop. Raises ItemError, Dropped."""
        header = read_header(data, self._limits)
        if (header.width, header.height) != (CROP_SIZE, CROP_SIZE):
            raise InvalidCrop(
                f"an aligned crop has {CROP_SIZE}×{CROP_SIZE} pixels, this one "
                f"{header.width}×{header.height}"
            )
        photo = await self._pixels.run(lambda: decode(data, self._limits), call)
        return EmbeddedFace((await self._embed([photo.pixels], call))[0], photo.pixels)

    async def _look(
        self, photo: Photo, region: Region | None, options: AnalyzeOptions, call: Call
    ) -> Detections:
        """Faces by as many looks as the answer needs, largest first."""
        sizes = self._looks.sizes
        if not options.is_early_stop:
            looks = await together(
                self._one_look(photo, size, region, options.min_score, call) for size in sizes
            )
            return largest_first(self._looks.merge(looks))
        side = max(photo.width, photo.height) if region is None else _longer_side(region)
        looks = []
        for number, size in enumerate(sizes, start=1):
            looks.append(await self._one_look(photo, size, region, options.min_score, call))
            merged = self._looks.merge(looks)
            counts = counted(merged, photo.width, photo.height, options.counting)
            finest = max(sizes[:number])
            if self._looks.is_clear(merged, counts, options.min_score, finest / side):
                break
        return largest_first(self._looks.merge(looks))

    async def _one_look(
        self, photo: Photo, size: int, region: Region | None, min_score: float, call: Call
    ) -> Detections:
        image = await self._pixels.run(lambda: letterbox(photo, size, region), call)
        return await self._detector.submit(DetectorWork(image, min_score), call=call, shape=size)

    async def _judge(self, photo: Photo, faces: Detections, call: Call) -> Sequence[_Judged]:
        if not len(faces):
            return ()
        return await self._pixels.run(lambda: _judge_all(photo, faces), call)

    async def _embed(self, crops: Sequence[Pixels], call: Call) -> list[FloatArray]:
        return await together(self._recogniser.submit(crop, call=call) for crop in crops)


@dataclass(frozen=True, slots=True)
class _Judged:
    crop: Pixels
    quality: Quality


def _judge_all(photo: Photo, faces: Detections) -> list[_Judged]:
    judged = []
    for box, landmarks in zip(faces.boxes, faces.landmarks, strict=True):
        crop = align(photo, landmarks)
        judged.append(_Judged(crop, assess(box, landmarks, crop)))
    return judged


def _longer_side(region: Region) -> float:
    return max(region.width, region.height)


def _first(faces: Detections, count: int) -> Detections:
    return Detections(faces.boxes[:count], faces.landmarks[:count], faces.scores[:count])


def _to_embed(counts: Flags, faces_counted: int, mode: EmbedMode) -> list[int]:
    """Which of the faces returned, largest first, get an embedding."""
    match mode:
        case EmbedMode.ALL:
            return list(range(len(counts)))
        case EmbedMode.SINGLE if faces_counted == 1:
            return [int(face) for face in np.flatnonzero(counts)]
        case EmbedMode.LARGEST:
            return [int(face) for face in np.flatnonzero(counts)[:1]]
        case _:
            return []


def _faces(
    found: Detections,
    counts: Flags,
    judged: Sequence[_Judged],
    embeddings: dict[int, FloatArray],
    options: AnalyzeOptions,
) -> list[AnalyzedFace]:
    faces = []
    for index, one in enumerate(judged):
        x1, y1, x2, y2 = (float(edge) for edge in found.boxes[index])
        is_embedded = index in embeddings
        faces.append(
            AnalyzedFace(
                box=(x1, y1, x2, y2),
                landmarks=found.landmarks[index],
                score=float(found.scores[index]),
                quality=one.quality,
                counts=bool(counts[index]),
                embedding=embeddings.get(index),
                crop=one.crop if options.with_crops and is_embedded else None,
            )
        )
    return faces


class _Stopwatch:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        last, self._last = self._last, time.perf_counter()
        return self._last - last
