"""The walk of one photo through the stages.

Bytes → header check → room in memory → decode → looks, merged → count → align and judge → embed.
Pixels are worked on in threads, networks run behind batchers that all calls share; each of these
queues drops what nobody waits for any more, so the deadline is honoured before every stage.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from inference.admission import Admission, Load
from inference.batching import Batcher
from inference.calls import Call
from inference.cpu_stage import CpuStage
from inference.errors import InvalidCrop
from inference.pipeline.decode import decode, read_header
from inference.pipeline.faces import (
    CROP_SIZE,
    Analysis,
    AnalyzeOptions,
    DecodeLimits,
    Detections,
    FloatArray,
    Pixels,
    Region,
    StageSeconds,
)
from inference.pipeline.letterbox import DetectorInput
from inference.pipeline.looks import LookPolicy
from inference.pipeline.picture import Picture
from inference.pipeline.sight import Glance, Sight
from inference.pipeline.walk import Judged, Walk
from inference.together import together
from inference.tracing import Trace

BYTES_PER_PIXEL = 4
"""Three, and a third for what coarser levels take beside the full pixels."""


@dataclass(frozen=True, slots=True)
class DetectorWork:
    """One look at one photo."""

    image: DetectorInput
    min_score: float
    is_doubted: bool = False
    """Taken before, in less than float32, and now to be taken in it."""


@dataclass(frozen=True, slots=True)
class EmbeddedFace:
    """A face that came with its place."""

    embedding: FloatArray
    """(dim,), unit length."""
    crop: Pixels
    """(112, 112, 3)."""


def decode_crop(data: bytes, limits: DecodeLimits) -> Pixels:
    """An encoded image that is an aligned crop, (112, 112, 3). Raises ItemError."""
    header = read_header(data, limits)
    if (header.width, header.height) != (CROP_SIZE, CROP_SIZE):
        raise InvalidCrop(
            f"an aligned crop has {CROP_SIZE}×{CROP_SIZE} pixels, this one "
            f"{header.width}×{header.height}"
        )
    return decode(data, limits).pixels


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
        may_reduce: bool = True,
        has_exact: bool = False,
    ) -> None:
        """memory: of decoded photos; those that find no room wait.

        may_reduce: decode large JPEGs as finely as they are needed; False: in full, always.
        has_exact: whether `detector` takes work that `is_doubted`.
        """
        self._pixels = pixels
        self._detector = detector
        self._recogniser = recogniser
        self._looks = looks
        self._limits = limits
        self._memory = memory
        self._may_reduce = may_reduce
        self._has_exact = has_exact

    async def analyze(
        self, data: bytes, options: AnalyzeOptions, call: Call, region: Region | None = None
    ) -> Analysis:
        """What an encoded image shows. region: look only there; None: everywhere.

        Raises ItemError and Dropped.
        """
        watch = _Stopwatch(call.trace)
        picture = self._open(data)
        walk = Walk(self._looks, options, region)
        async with self._memory.wait_and_enter(_room(picture), call.caller):
            sight = await self._look(walk, picture, call, watch)
            judged = await self._judge(walk, picture, sight, call, watch)
            picture.release()
        chosen = walk.to_embed(sight)
        vectors = await self._embed([judged[face].crop for face in chosen], call)
        if chosen:
            watch.lap("embed")
        embeddings = dict(zip(chosen, vectors, strict=True))
        return walk.answer(picture, sight, judged, embeddings, watch.seconds)

    async def embed_face(self, data: bytes, landmarks: FloatArray, call: Call) -> EmbeddedFace:
        """The embedding of a face by its landmarks, (5, 2) in the photo frame.

        Raises ItemError and Dropped.
        """
        picture = self._open(data)
        async with self._memory.wait_and_enter(_room(picture), call.caller):
            crops = await self._pixels.run(lambda: picture.crops([landmarks]), call)
            picture.release()
        call.trace.lap("align")
        vectors = await self._embed(crops, call)
        call.trace.lap("embed")
        return EmbeddedFace(vectors[0], crops[0])

    async def embed_crop(self, data: bytes, call: Call) -> EmbeddedFace:
        """The embedding of an encoded image that is an aligned crop. Raises ItemError, Dropped."""
        crop = await self._pixels.run(lambda: decode_crop(data, self._limits), call)
        call.trace.lap("decode")
        vectors = await self._embed([crop], call)
        call.trace.lap("embed")
        return EmbeddedFace(vectors[0], crop)

    async def _look(self, walk: Walk, picture: Picture, call: Call, watch: _Stopwatch) -> Sight:
        """What the photo shows by as many looks as the answer needs."""
        glances: list[Glance] = []
        sight: Sight | None = None
        while looks := walk.due(glances, sight):
            # One turn on a pixel thread for all: each turn costs the event loop as much as a crop.
            images = await self._pixels.run(partial(walk.inputs, picture, looks), call)
            watch.lap("decode")
            seen = await together(
                self._detect(image, walk.looking.min_score, call) for image in images
            )
            glances += map(Glance, looks, images, seen)
            sight = walk.sight(picture, glances)
            watch.lap("detect")
        if sight is None:
            raise ValueError("a policy has at least one look")
        doubted = walk.doubted(glances, sight) if self._has_exact else []
        if not doubted:
            return sight
        again = await together(
            self._detect(glances[number].image, walk.looking.min_score, call, is_doubted=True)
            for number in doubted
        )
        for number, faces in zip(doubted, again, strict=True):
            glances[number] = replace(glances[number], faces=faces)
        sight = walk.sight(picture, glances)
        watch.lap("detect")
        return sight

    async def _detect(
        self, image: DetectorInput, min_score: float, call: Call, *, is_doubted: bool = False
    ) -> Detections:
        work = DetectorWork(image, min_score, is_doubted)
        return await self._detector.submit(work, call=call, shape=(image.size, is_doubted))

    async def _judge(
        self, walk: Walk, picture: Picture, sight: Sight, call: Call, watch: _Stopwatch
    ) -> Sequence[Judged]:
        if not len(sight.faces):
            return ()
        before = picture.decode_seconds
        judged = await self._pixels.run(partial(walk.judge, picture, sight), call)
        watch.lap("align")
        watch.move(picture.decode_seconds - before, "align", "decode")
        return judged

    async def _embed(self, crops: Sequence[Pixels], call: Call) -> list[FloatArray]:
        return await together(self._recogniser.submit(crop, call=call) for crop in crops)

    def _open(self, data: bytes) -> Picture:
        return Picture(data, read_header(data, self._limits), may_reduce=self._may_reduce)


def _room(picture: Picture) -> Load:
    """What a photo may come to hold: all of its pixels, if it shows small faces.

    Counted once and at the worst: whoever asked for more room on the way could wait for ever.
    """
    header = picture.header
    return Load(1, header.width * header.height * BYTES_PER_PIXEL)


class _Stopwatch:
    """Seconds by stage, noted in a trace too."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._last = time.perf_counter()
        self._spent = dict.fromkeys(("decode", "detect", "align", "embed"), 0.0)

    def lap(self, stage: str) -> None:
        """Count the time since the last lap to a stage."""
        last, self._last = self._last, time.perf_counter()
        self._spent[stage] += self._last - last
        self._trace.lap(stage)

    def move(self, seconds: float, source: str, target: str) -> None:
        """Count some of a stage's time to another one."""
        self._spent[source] -= seconds
        self._spent[target] += seconds

    @property
    def seconds(self) -> StageSeconds:
        """Of every stage so far."""
        return StageSeconds(**self._spent)
