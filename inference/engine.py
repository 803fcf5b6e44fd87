"""The whole pipeline on one device, warm: what the server and `facesearch eval` run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import structlog

from inference.admission import Admission, Load
from inference.bare import BareEngine
from inference.batching import Batcher
from inference.calls import Call
from inference.cpu_stage import CpuStage
from inference.direct import DirectAnalyzer, DirectFactory, PhotoBatcher
from inference.errors import ItemError, PackError, StartError
from inference.hangs import Hangs
from inference.metrics import Metrics
from inference.models.find import find_pack
from inference.models.pack import Pack, expect_dim, load_pack
from inference.networks import DetectorFactory, RecogniserFactory, Running
from inference.pipeline.analyze import Analyzer, DetectorWork, EmbeddedFace
from inference.pipeline.faces import (
    CROP_SIZE,
    Analysis,
    AnalyzeOptions,
    DecodeLimits,
    Detections,
    FloatArray,
    Photo,
    Pixels,
    Region,
)
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import LookPolicy
from inference.runtimes import OpenSessions, looks_of, open_sessions
from inference.settings import Settings
from inference.tracing import NO_TRACING, Tracing

_log = structlog.get_logger("inference.engine")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is loaded and how it runs."""

    pack: Pack
    detector: Running
    recogniser: Running
    look_sizes: tuple[int, ...]


class Engine:
    """Photos in, faces and embeddings out, batched across whoever calls."""

    def __init__(
        self, analyzer: Analyzer | DirectAnalyzer, info: ModelInfo, metrics: Metrics
    ) -> None:
        self._analyzer = analyzer
        self._metrics = metrics
        self.info = info

    async def analyze(
        self,
        data: bytes,
        options: AnalyzeOptions,
        call: Call,
        region: Region | None = None,
    ) -> Analysis:
        """What an encoded image shows; with EmbedMode.NONE its faces only.

        region: look only there, in the photo frame. Raises ItemError and Dropped.
        """
        with call.trace.part("photo") as trace:
            analysis = await self._analyzer.analyze(data, options, call.under(trace), region)
            trace.note("facesearch.faces", len(analysis.faces))
        self._metrics.analysed(analysis)
        return analysis

    async def embed_face(self, data: bytes, landmarks: FloatArray, call: Call) -> EmbeddedFace:
        """The embedding of a face by its landmarks, (5, 2) in the photo frame.

        Raises ItemError and Dropped.
        """
        with call.trace.part("face") as trace:
            return await self._analyzer.embed_face(data, landmarks, call.under(trace))

    async def embed_crop(self, data: bytes, call: Call) -> EmbeddedFace:
        """The embedding of an encoded aligned crop of 112×112. Raises ItemError and Dropped."""
        with call.trace.part("crop") as trace:
            return await self._analyzer.embed_crop(data, call.under(trace))


@asynccontextmanager
async def open_engine(
    settings: Settings,
    metrics: Metrics | None = None,
    *,
    opener: OpenSessions = open_sessions,
    hangs: Hangs | None = None,
    tracing: Tracing = NO_TRACING,
) -> AsyncIterator[Engine]:
    """A warm engine: pack found and checked, every session made and run at every shape.

    hangs: counts the threads that were left behind in a run. tracing: is told of batches.

    Raises:
        StartError: no such pack, a damaged one, another dim, or a device that cannot be had.
    """
    metrics = metrics or Metrics()
    # Photos side by side are the parallelism: threads of OpenCV's own would only get in the way.
    cv2.setNumThreads(1)
    pack = await asyncio.to_thread(_open_pack, settings)
    sessions = await asyncio.to_thread(opener, pack, settings)
    detectors = DetectorFactory(
        pack.detector_graph,
        sessions.detector,
        may_batch=sessions.may_batch,
        make_exact=sessions.exact_detector,
    )
    recognisers = RecogniserFactory(
        pack.recogniser_graph, sessions.recogniser, may_batch=sessions.may_batch
    )
    looks = looks_of(pack, settings)
    parts = _Parts(settings, metrics, looks, detectors, recognisers, hangs or Hangs(), tracing)
    async with AsyncExitStack() as stack:
        try:
            analyzer: Analyzer | DirectAnalyzer
            if settings.has_stages:
                analyzer = await stack.enter_async_context(_staged(parts))
            else:
                analyzer = await stack.enter_async_context(_direct(parts))
        except ItemError as error:
            raise PackError(f"pack {pack.id} in {pack.folder} does not run: {error}") from error
        info = ModelInfo(pack, _made(detectors), _made(recognisers), looks.sizes)
        if sessions.may_batch:
            _warn_if_unbatched(info)
        metrics.model(
            {
                "pack": pack.id,
                "version": pack.version,
                "space_id": pack.space_id,
                "dim": str(pack.dim),
                "device": info.detector.device,
                "runtime": info.detector.runtime,
            }
        )
        yield Engine(analyzer, info, metrics)


@dataclass(frozen=True, slots=True)
class _Parts:
    settings: Settings
    metrics: Metrics
    looks: LookPolicy
    detectors: DetectorFactory
    recognisers: RecogniserFactory
    hangs: Hangs
    tracing: Tracing

    @property
    def limits(self) -> DecodeLimits:
        return DecodeLimits(self.settings.max_image_bytes, self.settings.max_image_pixels)

    @property
    def memory(self) -> Admission:
        return Admission(Load(sys.maxsize, self.settings.decoded_bytes))


@asynccontextmanager
async def _direct(parts: _Parts) -> AsyncIterator[DirectAnalyzer]:
    """One queue of photos; each goes through all stages on one thread."""
    settings = parts.settings
    queue = parts.metrics.queue("photos")
    factory = DirectFactory(
        parts.detectors.load,
        parts.recognisers.load,
        looks=parts.looks,
        limits=parts.limits,
        may_reduce=settings.reduced_decode,
    )
    async with PhotoBatcher(
        "photos",
        factory,
        workers=settings.session_count,
        observer=queue,
        max_run_seconds=settings.max_run_seconds,
        hangs=parts.hangs,
    ) as photos:
        await photos.warm_up([BareEngine.warm_up])
        yield DirectAnalyzer(
            photos, limits=parts.limits, memory=parts.memory, on_dropped=queue.dropped
        )


@asynccontextmanager
async def _staged(parts: _Parts) -> AsyncIterator[Analyzer]:
    """A queue for each stage, so that the networks see batches across calls."""
    settings, metrics = parts.settings, parts.metrics
    async with (
        CpuStage(
            settings.pixel_thread_count,
            observer=metrics.queue("pixels"),
            max_run_seconds=settings.max_run_seconds,
            hangs=parts.hangs,
        ) as pixels,
        Batcher[DetectorWork, Detections](
            "detector",
            parts.detectors,
            workers=settings.session_count,
            policy=settings.detector_policy,
            observer=metrics.queue("detector"),
            max_run_seconds=settings.max_run_seconds,
            hangs=parts.hangs,
            trace_run=parts.tracing.of_batches,
        ) as detector,
        Batcher[Pixels, FloatArray](
            "recogniser",
            parts.recognisers,
            workers=settings.session_count,
            policy=settings.recogniser_policy,
            observer=metrics.queue("recogniser"),
            max_run_seconds=settings.max_run_seconds,
            hangs=parts.hangs,
            trace_run=parts.tracing.of_batches,
        ) as recogniser,
    ):
        await asyncio.gather(
            detector.warm_up(
                [
                    _blank_look(size, is_doubted=is_doubted)
                    for size in parts.looks.shapes
                    for is_doubted in ((False, True) if parts.detectors.has_exact else (False,))
                ]
            ),
            recogniser.warm_up([np.zeros((CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)]),
        )
        yield Analyzer(
            pixels=pixels,
            detector=detector,
            recogniser=recogniser,
            looks=parts.looks,
            limits=parts.limits,
            memory=parts.memory,
            may_reduce=settings.reduced_decode,
            has_exact=parts.detectors.has_exact,
        )


def _open_pack(settings: Settings) -> Pack:
    pack = load_pack(find_pack(settings.pack, settings.models_dir))
    expect_dim(pack, settings.expect_dim)
    return pack


def _blank_look(size: int, *, is_doubted: bool) -> DetectorWork:
    blank = np.zeros((size, size, 3), dtype=np.uint8)
    image = letterbox(Photo(blank, size, size), size)
    return DetectorWork(image, min_score=0.5, is_doubted=is_doubted)


def _made(factory: DetectorFactory | RecogniserFactory) -> Running:
    if factory.running is None:
        raise StartError("a network was not loaded")
    return factory.running


def _warn_if_unbatched(info: ModelInfo) -> None:
    for role, running in (("detector", info.detector), ("recogniser", info.recogniser)):
        if not running.batched:
            _log.warning("runs_singly", network=role, reason="its export does not allow batches")
