"""The walk of a photo through the stages, on sessions without a runtime."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.admission import NOTHING, Admission, Load
from inference.batching import Batcher
from inference.calls import Call
from inference.cpu_stage import CpuStage
from inference.errors import DeadlinePassed, InvalidCrop, InvalidImage, InvalidLandmarks
from inference.models.graphs import INSIDE, DetectorGraph, RecogniserGraph, RowOrder
from inference.networks import DetectorRunner, RecogniserRunner
from inference.pipeline.analyze import Analyzer
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import AnalyzeOptions, DecodeLimits, EmbedMode
from inference.pipeline.looks import Look, LookPolicy
from inference.sessions.fake import FakeSession, fake_detector, fake_recogniser

CALL = Call("test")
DIM = 8
UPRIGHT = np.array([[40, 50], [80, 50], [60, 70], [45, 95], [75, 95]], dtype=np.float32)


def encoded(width: int = 320, height: int = 320, kind: str = "JPEG") -> bytes:
    rng = np.random.default_rng(seed=3)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


class Bench:
    """An analyzer and the sessions beneath it."""

    def __init__(self, analyzer: Analyzer, detector: FakeSession, recogniser: FakeSession) -> None:
        self.analyzer = analyzer
        self.detector = detector
        self.recogniser = recogniser
        self.memory = Admission(Load(sys.maxsize, 100 << 20))

    @property
    def looks_taken(self) -> list[int]:
        """Size of every image the detector saw."""
        return [shape[-1] for shape in self.detector.runs for _ in range(shape[0])]


@asynccontextmanager
async def bench(
    faces: Callable[[NDArray[np.float32]], int] = lambda _: 1, score: float = 0.9
) -> AsyncIterator[Bench]:
    detector = fake_detector(faces, score=score)
    recogniser = fake_recogniser(DIM)
    nowhere = Path("none.onnx")
    names = tuple(info.name for info in detector.outputs)
    detector_graph = DetectorGraph(nowhere, "input", names, None, INSIDE, RowOrder.INTERLEAVED)
    recogniser_graph = RecogniserGraph(nowhere, "input", "embedding", DIM, INSIDE)
    memory = Admission(Load(sys.maxsize, 100 << 20))
    async with (
        CpuStage(2) as pixels,
        Batcher(
            "detector", lambda: DetectorRunner(Detector(detector_graph, detector, batched=True))
        ) as detect,
        Batcher(
            "recogniser",
            lambda: RecogniserRunner(Recogniser(recogniser_graph, recogniser, batched=True)),
        ) as embed,
    ):
        analyzer = Analyzer(
            pixels=pixels,
            detector=detect,
            recogniser=embed,
            looks=LookPolicy((Look(320), Look(640), Look(128))),
            limits=DecodeLimits(max_bytes=1 << 20, max_pixels=4_000_000),
            memory=memory,
        )
        tested = Bench(analyzer, detector, recogniser)
        tested.memory = memory
        yield tested


async def test_a_full_look_takes_every_look_and_shows_each_face_once() -> None:
    async with bench(lambda _: 2) as tested:
        analysis = await tested.analyzer.analyze(encoded(), AnalyzeOptions(), CALL)
    assert sorted(tested.looks_taken) == [128, 320, 640]
    assert len(analysis.faces) == 2
    assert analysis.faces_counted == 2
    assert all(face.embedding is not None for face in analysis.faces)


async def test_an_early_stop_ends_after_the_first_look_that_is_clear() -> None:
    async with bench() as tested:
        await tested.analyzer.analyze(encoded(), AnalyzeOptions(is_early_stop=True), CALL)
    assert tested.looks_taken == [320]


async def test_an_early_stop_looks_on_while_the_answer_is_not_clear() -> None:
    async with bench(score=0.55) as tested:
        analysis = await tested.analyzer.analyze(
            encoded(), AnalyzeOptions(is_early_stop=True), CALL
        )
    assert tested.looks_taken == [320, 640, 128]
    assert len(analysis.faces) == 1


@pytest.mark.parametrize(
    ("mode", "faces", "embedded"),
    [
        (EmbedMode.ALL, 3, 3),
        (EmbedMode.NONE, 3, 0),
        (EmbedMode.LARGEST, 3, 1),
        (EmbedMode.LARGEST, 0, 0),
        (EmbedMode.SINGLE, 1, 1),
        (EmbedMode.SINGLE, 2, 0),
        (EmbedMode.SINGLE, 0, 0),
    ],
)
async def test_only_the_faces_asked_for_are_embedded(
    mode: EmbedMode, faces: int, embedded: int
) -> None:
    async with bench(lambda _: faces) as tested:
        options = AnalyzeOptions(embed=mode, with_crops=True)
        analysis = await tested.analyzer.analyze(encoded(), options, CALL)
    assert len(analysis.faces) == faces
    assert sum(face.embedding is not None for face in analysis.faces) == embedded
    assert sum(face.crop is not None for face in analysis.faces) == embedded
    assert sum(tested.recogniser.batch_sizes) == embedded


async def test_faces_cut_by_max_faces_are_counted_and_not_embedded() -> None:
    async with bench(lambda _: 4) as tested:
        analysis = await tested.analyzer.analyze(encoded(), AnalyzeOptions(max_faces=2), CALL)
    assert len(analysis.faces) == 2
    assert analysis.faces_counted == 4
    assert sum(tested.recogniser.batch_sizes) == 2


async def test_two_faces_that_count_are_not_single_even_if_one_is_cut() -> None:
    async with bench(lambda _: 2) as tested:
        options = AnalyzeOptions(max_faces=1, embed=EmbedMode.SINGLE)
        analysis = await tested.analyzer.analyze(encoded(), options, CALL)
    assert [face.embedding for face in analysis.faces] == [None]


async def test_work_past_its_deadline_reaches_no_session() -> None:
    async with bench() as tested:
        late = Call("late", deadline=time.monotonic() - 1)
        with pytest.raises(DeadlinePassed):
            await tested.analyzer.analyze(encoded(), AnalyzeOptions(), late)
    assert tested.detector.runs == []


async def test_an_image_that_cannot_be_read_gives_its_memory_back() -> None:
    async with bench() as tested:
        with pytest.raises(InvalidImage):
            await tested.analyzer.analyze(encoded()[:2000], AnalyzeOptions(), CALL)
        assert tested.memory.held == NOTHING


async def test_the_same_photo_gives_the_same_answer() -> None:
    async with bench(lambda _: 3) as tested:
        one = await tested.analyzer.analyze(encoded(), AnalyzeOptions(), CALL)
        two = await tested.analyzer.analyze(encoded(), AnalyzeOptions(), CALL)
    for first, second in zip(one.faces, two.faces, strict=True):
        assert first.box == second.box
        assert first.embedding is not None
        assert second.embedding is not None
        np.testing.assert_array_equal(first.embedding, second.embedding)


async def test_a_face_with_a_place_is_embedded_without_looking() -> None:
    async with bench() as tested:
        face = await tested.analyzer.embed_face(encoded(), UPRIGHT, CALL)
        assert tested.memory.held == NOTHING
    assert face.embedding.shape == (DIM,)
    assert float(np.linalg.norm(face.embedding)) == pytest.approx(1, abs=1e-5)
    assert tested.detector.runs == []


async def test_landmarks_on_one_point_are_no_face() -> None:
    async with bench() as tested:
        with pytest.raises(InvalidLandmarks):
            await tested.analyzer.embed_face(encoded(), np.full((5, 2), 7, np.float32), CALL)


async def test_a_crop_of_another_size_is_refused_before_it_is_decoded() -> None:
    async with bench() as tested:
        with pytest.raises(InvalidCrop, match="112×112"):
            await tested.analyzer.embed_crop(encoded(112, 113), CALL)
        crop = await tested.analyzer.embed_crop(encoded(112, 112, "PNG"), CALL)
    assert crop.crop.shape == (112, 112, 3)
