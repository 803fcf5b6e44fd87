"""One image that breaks what it touches, among thirty-one good ones: only it fails.

On both ways through the server: a queue of photos, and a queue for each stage with its batches.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from structlog.testing import capture_logs

from inference.admission import NOTHING, Admission, Load
from inference.batching import Batcher
from inference.calls import Call
from inference.cpu_stage import CpuStage
from inference.direct import DirectAnalyzer, DirectFactory, PhotoBatcher
from inference.errors import InvalidImage, ItemError, ModelFault
from inference.fair_queue import BatchPolicy
from inference.models.graphs import INSIDE, DetectorGraph, RecogniserGraph, RowOrder
from inference.networks import DetectorRunner, RecogniserRunner
from inference.pipeline.analyze import Analyzer
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import Analysis, AnalyzeOptions, DecodeLimits, FloatArray
from inference.pipeline.looks import Look, LookPolicy
from inference.sessions.fake import Answer, FakeSession, Feeds, fake_detector, fake_recogniser

GOOD = 31
PLACE = 17
DIM = 8
POISON_LEVEL = 250
"""Brightness from which the sessions of these tests break."""
CALL = Call("one call")
LIMITS = DecodeLimits(max_bytes=1 << 20, max_pixels=1_000_000)
LOOKS = LookPolicy((Look(128),))
NOWHERE = Path("none.onnx")


def photo(brightness: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((128, 128, 3), brightness, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def good_photos() -> list[bytes]:
    """All different, so that rows which are mixed up would show."""
    return [photo(40 + 5 * number) for number in range(GOOD)]


Breaks = Callable[[Answer], Answer]
Analyze = Callable[[bytes, AnalyzeOptions, Call], Coroutine[None, None, Analysis]]
Way = Callable[[Callable[[], Detector], Admission], AbstractAsyncContextManager[Analyze]]


def raising(usual: Answer) -> Answer:
    def answer(feeds: Feeds) -> list[NDArray[np.float32]]:
        if poisoned(feeds).any():
            raise ModelFault("the device fell over")
        return usual(feeds)

    return answer


def not_finite(usual: Answer) -> Answer:
    """Only in the rows of the image that is poisoned, as a network would."""

    def answer(feeds: Feeds) -> list[NDArray[np.float32]]:
        outputs = usual(feeds)
        bad = np.flatnonzero(poisoned(feeds))
        for rows in outputs:
            by_image = rows.reshape(-1, len(poisoned(feeds)), 2, rows.shape[-1])
            by_image[:, bad] = np.nan
        return outputs

    return answer


def poisoned(feeds: Feeds) -> NDArray[np.bool_]:
    """(batch,), whether an image is as bright as the poisoned one."""
    batch = next(iter(feeds.values()))
    bright: NDArray[np.bool_] = batch.mean(axis=(1, 2, 3)) >= POISON_LEVEL
    return bright


def detector_of(breaks: Breaks) -> Callable[[], Detector]:
    session = fake_detector()
    session = fake_detector(answer=breaks(session.run))
    names = tuple(info.name for info in session.outputs)
    graph = DetectorGraph(NOWHERE, "input", names, None, INSIDE, RowOrder.INTERLEAVED)
    return lambda: Detector(graph, session, batched=True)


def recogniser() -> Recogniser:
    session: FakeSession = fake_recogniser(DIM)
    graph = RecogniserGraph(NOWHERE, "input", "embedding", DIM, INSIDE)
    return Recogniser(graph, session, batched=True)


@asynccontextmanager
async def direct(detector: Callable[[], Detector], memory: Admission) -> AsyncIterator[Analyze]:
    factory = DirectFactory(detector, recogniser, looks=LOOKS, limits=LIMITS, may_reduce=True)
    async with PhotoBatcher("photos", factory, workers=2) as photos:
        analyzer = DirectAnalyzer(
            photos, limits=LIMITS, memory=memory, on_dropped=lambda _: pytest.fail("dropped")
        )
        yield analyzer.analyze


@asynccontextmanager
async def staged(detector: Callable[[], Detector], memory: Admission) -> AsyncIterator[Analyze]:
    policy = BatchPolicy(max_batch=32, buckets=(1, 2, 4, 8, 16, 32))
    async with (
        CpuStage(2) as pixels,
        Batcher("detector", lambda: DetectorRunner(detector()), policy=policy) as detect,
        Batcher("recogniser", lambda: RecogniserRunner(recogniser()), policy=policy) as embed,
    ):
        analyzer = Analyzer(
            pixels=pixels,
            detector=detect,
            recogniser=embed,
            looks=LOOKS,
            limits=LIMITS,
            memory=memory,
        )
        yield analyzer.analyze


@pytest.mark.parametrize("way", [direct, staged])
@pytest.mark.parametrize(
    ("breaks", "poison", "error"),
    [
        (raising, photo(255), ModelFault),
        (not_finite, photo(255), ModelFault),
        (raising, photo(100)[:60], InvalidImage),
    ],
    ids=["raises", "not finite", "damaged"],
)
async def test_one_poisoned_image_among_thirty_one_good_ones_fails_alone(
    way: Way, breaks: Breaks, poison: bytes, error: type[ItemError]
) -> None:
    memory = Admission(Load(sys.maxsize, 100 << 20))
    images = good_photos()
    # Their logging is captured: rendered for a terminal, a traceback through images takes seconds.
    with capture_logs() as logged:
        async with way(detector_of(breaks), memory) as analyze:
            singly = [await analyze(image, AnalyzeOptions(), CALL) for image in images]
            images.insert(PLACE, poison)
            together = await asyncio.gather(
                *(analyze(image, AnalyzeOptions(), CALL) for image in images),
                return_exceptions=True,
            )
            # And nothing of it is left.
            again = await analyze(images[0], AnalyzeOptions(), CALL)
    assert isinstance(together.pop(PLACE), error)
    assert all(line["event"] == "runner_failed" for line in logged)
    for alone, among in zip(singly, together, strict=True):
        assert np.array_equal(embedding(alone), embedding(among))
    assert np.array_equal(embedding(again), embedding(singly[0]))
    assert len({embedding(one).tobytes() for one in singly}) == GOOD
    assert memory.held == NOTHING


def embedding(outcome: Analysis | BaseException) -> FloatArray:
    assert isinstance(outcome, Analysis), outcome
    (face,) = outcome.faces
    assert face.embedding is not None
    return face.embedding
