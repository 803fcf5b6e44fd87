"""Photos one after the other on the calling thread: the stages, and nothing around them.

No queue, no event loop, no gRPC. What the server gives is measured against this (`bench.engine`),
and its batches must give the same faces and embeddings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from inference.models.find import find_pack
from inference.models.pack import expect_dim, load_pack
from inference.pipeline.analyze import EmbeddedFace, decode_crop
from inference.pipeline.decode import read_header
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import (
    CROP_SIZE,
    Analysis,
    AnalyzeOptions,
    DecodeLimits,
    EmbedMode,
    FloatArray,
    Header,
    Photo,
    Pixels,
    Region,
    StageSeconds,
)
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import LookPolicy
from inference.pipeline.picture import Picture
from inference.pipeline.sight import Glance, Sight
from inference.pipeline.walk import Walk
from inference.runtimes import looks_of, open_sessions
from inference.settings import Settings, load_settings

SEARCH = AnalyzeOptions(is_early_stop=True, embed=EmbedMode.SINGLE)
"""What a search asks for."""
ENROLMENT = AnalyzeOptions()
"""Every look, every face."""


class BareEngine:
    """One session of each network. Owned by one thread at a time, as sessions are."""

    def __init__(
        self,
        detector: Detector,
        recogniser: Recogniser,
        *,
        looks: LookPolicy,
        limits: DecodeLimits,
        max_crops: int = 1,
        may_reduce: bool = True,
    ) -> None:
        """max_crops: in one run of the recogniser. may_reduce: as of `Picture`."""
        self._detector = detector
        self._recogniser = recogniser
        self._looks = looks
        self._limits = limits
        self._max_crops = max_crops
        self._may_reduce = may_reduce

    def analyze(
        self,
        data: bytes,
        options: AnalyzeOptions,
        region: Region | None = None,
        *,
        header: Header | None = None,
        check: Callable[[], None] = lambda: None,
        lap: Callable[[str], None] = lambda _: None,
    ) -> Analysis:
        """What an encoded image shows, as `Analyzer.analyze` says it.

        region: look only there; None: everywhere. header: as `read_header` gave it; None: it is
        read. check: called between stages; may raise. lap: told which stage has ended: decode and
        detect for each round of looks, align, embed. Raises ItemError.
        """
        picture = self._open(data, header)
        walk = Walk(self._looks, options, region)
        started = time.perf_counter()
        sight = self._look(walk, picture, check, lap)
        looked = time.perf_counter()
        decoded_for_looks = picture.decode_seconds
        check()
        judged = walk.judge(picture, sight)
        aligned = time.perf_counter()
        if judged:
            lap("align")
        decoded_for_crops = picture.decode_seconds - decoded_for_looks
        chosen = walk.to_embed(sight)
        if chosen:
            check()
        vectors = self._embed([judged[face].crop for face in chosen])
        if chosen:
            lap("embed")
        seconds = StageSeconds(
            decode=picture.decode_seconds,
            detect=looked - started - decoded_for_looks,
            align=aligned - looked - decoded_for_crops,
            embed=time.perf_counter() - aligned,
        )
        return walk.answer(picture, sight, judged, dict(zip(chosen, vectors, strict=True)), seconds)

    def embed_face(
        self,
        data: bytes,
        landmarks: FloatArray,
        *,
        header: Header | None = None,
        check: Callable[[], None] = lambda: None,
        lap: Callable[[str], None] = lambda _: None,
    ) -> EmbeddedFace:
        """As `Analyzer.embed_face`; header, check and lap as of `analyze`. Raises ItemError."""
        picture = self._open(data, header)
        crop = picture.crops([landmarks])[0]
        lap("align")
        check()
        vectors = self._embed([crop])
        lap("embed")
        return EmbeddedFace(vectors[0], crop)

    def embed_crop(
        self, data: bytes, *, lap: Callable[[str], None] = lambda _: None
    ) -> EmbeddedFace:
        """As `Analyzer.embed_crop`; lap as of `analyze`. Raises ItemError."""
        crop = decode_crop(data, self._limits)
        lap("decode")
        vectors = self._embed([crop])
        lap("embed")
        return EmbeddedFace(vectors[0], crop)

    def warm_up(self) -> None:
        """Run both networks once at every shape they will see. Raises ModelFault."""
        for size in self._looks.shapes:
            blank = np.zeros((size, size, 3), dtype=np.uint8)
            for detector in filter(None, (self._detector, self._detector.exact)):
                detector.detect([letterbox(Photo(blank, size, size), size)])
        self._recogniser.embed([np.zeros((CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)])

    def _open(self, data: bytes, header: Header | None) -> Picture:
        header = header or read_header(data, self._limits)
        return Picture(data, header, may_reduce=self._may_reduce)

    def _look(
        self,
        walk: Walk,
        picture: Picture,
        check: Callable[[], None],
        lap: Callable[[str], None],
    ) -> Sight:
        glances: list[Glance] = []
        sight: Sight | None = None
        while looks := walk.due(glances, sight):
            images = walk.inputs(picture, looks)
            lap("decode")
            for look, image in zip(looks, images, strict=True):
                check()
                (faces,) = self._detector.detect([image], walk.looking.min_score)
                glances.append(Glance(look, image, faces))
            sight = walk.sight(picture, glances)
            lap("detect")
        if sight is None:
            raise ValueError("a policy has at least one look")
        exact = self._detector.exact
        doubted = [] if exact is None else walk.doubted(glances, sight)
        if exact is None or not doubted:
            return sight
        for number in doubted:
            check()
            glance = glances[number]
            (faces,) = exact.detect([glance.image], walk.looking.min_score)
            glances[number] = replace(glance, faces=faces)
        sight = walk.sight(picture, glances)
        lap("detect")
        return sight

    def _embed(self, crops: Sequence[Pixels]) -> list[FloatArray]:
        vectors: list[FloatArray] = []
        for first in range(0, len(crops), self._max_crops):
            vectors += list(self._recogniser.embed(crops[first : first + self._max_crops]))
        return vectors


def open_bare(settings: Settings | None = None) -> list[BareEngine]:
    """As many as the server has sessions, of the pack and the runtime that it would take.

    settings: None takes those of the environment.

    Raises:
        StartError: no such pack, a damaged one, or a runtime or device that cannot be had.
    """
    settings = settings or load_settings()
    cv2.setNumThreads(1)  # as the server has it
    pack = load_pack(find_pack(settings.pack, settings.models_dir))
    expect_dim(pack, settings.expect_dim)
    sessions = open_sessions(pack, settings)
    graph = pack.detector_graph
    looks = looks_of(pack, settings)
    return [
        BareEngine(
            Detector.load(
                graph, sessions.detector, may_batch=False, make_exact=sessions.exact_detector
            ),
            Recogniser.load(
                pack.recogniser_graph, sessions.recogniser, may_batch=sessions.may_batch
            ),
            looks=looks,
            limits=DecodeLimits(settings.max_image_bytes, settings.max_image_pixels),
            max_crops=settings.recogniser_policy.max_batch,
            may_reduce=settings.reduced_decode,
        )
        for _ in range(settings.session_count)
    ]
