"""Which looks are taken again in float32, and that they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.bare import BareEngine
from inference.models.pack import load_pack
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import AnalyzeOptions, DecodeLimits, Detections
from inference.pipeline.letterbox import DetectorInput, Part
from inference.pipeline.looks import Look, LookPolicy
from inference.pipeline.sight import Glance, Looking
from inference.pipeline.walk import SURE_SCORE, Walk
from inference.sessions.fake import fake_detector, fake_recogniser
from tests.unit.inference import networks
from tests.unit.inference.pipeline.files import encoded

POLICY = LookPolicy((Look(160), Look(320)))
SURE, WEAK = SURE_SCORE + 0.1, SURE_SCORE - 0.1


def glance(size: int, *faces: tuple[float, float], side: float = 320.0) -> Glance:
    """A look at a photo of 1000², and the faces on it: where each begins, and its score."""
    boxes = [(left, 100.0, left + side, 100 + side) for left, _ in faces]
    image = DetectorInput(np.zeros((size, size, 3), np.uint8), size / 1000, 0.0, 0.0)
    return Glance(
        Look(size),
        image,
        Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.zeros((len(faces), 5, 2), np.float32),
            np.array([score for _, score in faces], np.float32),
        ),
    )


def doubted(*glances: Glance, options: AnalyzeOptions | None = None) -> list[int]:
    options = options or AnalyzeOptions()
    sight = Looking(POLICY, options).sight(glances, Part(0, 0, 1000, 1000), 1000, 1000)
    return Walk(POLICY, options).doubted(glances, sight)


def test_a_look_with_a_weak_face_is_taken_again_and_no_other() -> None:
    assert doubted(glance(160, (100, SURE)), glance(320, (100, SURE), (600, WEAK))) == [1]
    assert doubted(glance(160, (600, WEAK)), glance(320, (100, SURE))) == [0]
    assert doubted(glance(160), glance(320, (100, SURE))) == []


def test_a_face_that_another_look_is_sure_of_is_not_doubted() -> None:
    assert doubted(glance(160, (100, WEAK)), glance(320, (100, SURE))) == []


def test_a_face_of_few_pixels_is_not_doubted() -> None:
    assert doubted(glance(320, (100, WEAK), side=140)) == []  # 45 pixels of the look
    assert doubted(glance(320, (100, WEAK), side=160)) == [0]  # 51


def test_a_search_takes_no_look_again() -> None:
    options = AnalyzeOptions(is_early_stop=True)
    assert doubted(glance(160, (100, WEAK)), options=options) == []


@pytest.mark.parametrize(("score", "asked_again"), [(WEAK, [1]), (SURE, [])])
def test_the_answer_has_what_float32_saw(
    tmp_path: Path, score: float, asked_again: list[int]
) -> None:
    networks.detector(tmp_path / "det.onnx")
    networks.recogniser(tmp_path / "rec.onnx")
    pack = load_pack(tmp_path)
    hasty, exact = fake_detector(score=score), fake_detector(score=0.9)
    engine = BareEngine(
        Detector(pack.detector_graph, hasty, exact=exact),
        Recogniser(pack.recogniser_graph, fake_recogniser(dim=pack.dim)),
        looks=LookPolicy((Look(256),)),
        limits=DecodeLimits(1 << 20, 1_000_000),
    )

    (face,) = engine.analyze(encoded(Image.new("RGB", (256, 256)), "PNG"), AnalyzeOptions()).faces

    assert exact.batch_sizes == asked_again
    assert face.score == pytest.approx(0.9 if asked_again else score)
