"""A photo on one thread through all stages, on sessions without a runtime."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.admission import NOTHING, Admission, Load
from inference.calls import Call
from inference.direct import DirectAnalyzer, DirectFactory, PhotoBatcher
from inference.errors import DeadlinePassed, InvalidCrop, InvalidImage, ModelFault
from inference.models.graphs import INSIDE, DetectorGraph, RecogniserGraph, RowOrder
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import AnalyzeOptions, DecodeLimits, EmbedMode
from inference.pipeline.looks import Look, LookPolicy
from inference.sessions.fake import FakeSession, Feeds, fake_detector, fake_recogniser
from tests.unit.inference.serving.test_analyze import CALL, DIM, UPRIGHT, encoded

SEARCH = AnalyzeOptions(is_early_stop=True, embed=EmbedMode.SINGLE)
NOWHERE = Path("none.onnx")


class Direct:
    """An analyzer, and the sessions that were made for it."""

    def __init__(self) -> None:
        self.detectors: list[FakeSession] = []
        self.recognisers: list[FakeSession] = []
        self.dropped: list[str] = []
        self.memory = Admission(Load(sys.maxsize, 100 << 20))
        self.gate: threading.Event | None = None
        self.entered = threading.Event()
        self.fails_once = False
        self.analyzer: DirectAnalyzer

    def detector(self) -> Detector:
        session = fake_detector(gate=self.gate, entered=self.entered)
        self.detectors.append(session)
        names = tuple(info.name for info in session.outputs)
        graph = DetectorGraph(NOWHERE, "input", names, None, INSIDE, RowOrder.INTERLEAVED)
        return Detector(graph, session)

    def recogniser(self) -> Recogniser:
        is_broken = self.fails_once and not self.recognisers

        def breaks(feeds: Feeds) -> list[NDArray[np.float32]]:
            raise ModelFault("out of memory")

        session = fake_recogniser(DIM, answer=breaks if is_broken else None)
        self.recognisers.append(session)
        return Recogniser(RecogniserGraph(NOWHERE, "input", "embedding", DIM, INSIDE), session)


@asynccontextmanager
async def opened(direct: Direct) -> AsyncIterator[DirectAnalyzer]:
    limits = DecodeLimits(max_bytes=1 << 20, max_pixels=4_000_000)
    factory = DirectFactory(
        direct.detector,
        direct.recogniser,
        looks=LookPolicy((Look(320), Look(640))),
        limits=limits,
        may_reduce=True,
    )
    async with PhotoBatcher("photos", factory) as photos:
        yield DirectAnalyzer(
            photos, limits=limits, memory=direct.memory, on_dropped=direct.dropped.append
        )


async def test_a_search_takes_the_looks_it_needs_and_embeds_the_one_face() -> None:
    direct = Direct()
    async with opened(direct) as analyzer:
        analysis = await analyzer.analyze(encoded(), SEARCH, CALL)
    assert [run[-1] for run in direct.detectors[0].runs] == [320]
    assert analysis.faces_counted == 1
    assert analysis.faces[0].embedding is not None
    assert direct.memory.held == NOTHING


async def test_a_photo_that_cannot_be_read_fails_alone_and_keeps_the_sessions() -> None:
    direct = Direct()
    async with opened(direct) as analyzer:
        good, bad = await asyncio.gather(
            analyzer.analyze(encoded(), SEARCH, CALL),
            analyzer.analyze(encoded()[:900], SEARCH, CALL),
            return_exceptions=True,
        )
    assert isinstance(bad, InvalidImage)
    assert not isinstance(good, BaseException)
    assert len(direct.detectors) == 1


async def test_a_session_that_failed_is_made_again_and_the_photo_gets_a_second_chance() -> None:
    direct = Direct()
    direct.fails_once = True
    async with opened(direct) as analyzer:
        analysis = await analyzer.analyze(encoded(), SEARCH, CALL)
    assert len(direct.recognisers) == 2
    assert analysis.faces[0].embedding is not None


async def test_work_is_dropped_between_stages_once_its_deadline_has_passed() -> None:
    direct = Direct()
    direct.gate = threading.Event()
    async with opened(direct) as analyzer:
        call = Call("late", deadline=time.monotonic() + 0.2)
        with pytest.raises(DeadlinePassed):
            await analyzer.analyze(encoded(), SEARCH, call)
        direct.gate.set()
    assert direct.dropped == ["deadline"]
    assert direct.recognisers[0].runs == []


async def test_work_of_a_caller_that_has_gone_reaches_no_further_session() -> None:
    direct = Direct()
    direct.gate = threading.Event()
    async with opened(direct) as analyzer:
        asked = asyncio.create_task(analyzer.analyze(encoded(), SEARCH, CALL))
        await asyncio.to_thread(direct.entered.wait, 10)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        direct.gate.set()
    assert direct.dropped == ["caller_gone"]
    assert direct.recognisers[0].runs == []
    assert direct.memory.held == NOTHING


async def test_a_face_by_its_landmarks_and_a_crop_are_embedded() -> None:
    direct = Direct()
    async with opened(direct) as analyzer:
        face = await analyzer.embed_face(encoded(), UPRIGHT, CALL)
        crop = await analyzer.embed_crop(encoded(112, 112, "PNG"), CALL)
        with pytest.raises(InvalidCrop):
            await analyzer.embed_crop(encoded(100, 112), CALL)
    assert face.crop.shape == crop.crop.shape == (112, 112, 3)
    assert face.embedding.shape == crop.embedding.shape == (DIM,)
