"""OpenVINO sees on real photos what onnxruntime sees in float32.

In float32 to the last digits. In bf16, on the same pixels: on every anchor that shows a face the
box has an IoU of 0.97 with the other's, and the scores are within 0.02; a photo has as many faces,
but for faces whose score is that near to the limit; an embedding has a cosine of 0.998 to the
other's of the same crop. A face as a whole may differ more: of two anchors with nearly the same
score the other one may win, which moved one box of 49 to an IoU of 0.93.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino", reason="needs OpenVINO")

from inference.models.pack import Pack, load_pack
from inference.pipeline.align import align
from inference.pipeline.blob import Blobs
from inference.pipeline.decode import decode
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import DecodeLimits, FloatArray, Photo, Pixels
from inference.pipeline.letterbox import DetectorInput, letterbox
from inference.precision.check import MAX_SCORE_GAP, MIN_COSINE, compare_detections
from inference.sessions.choose import Precision
from inference.sessions.cpu import read_cpu
from inference.sessions.onnx import OnnxOptions, OnnxSessions
from inference.sessions.openvino import OpenVinoOptions, OpenVinoSessions
from tests.conftest import FIGURE

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
MIN_SCORE = 0.5


@dataclass(frozen=True)
class Seen:
    """What onnxruntime sees on a photo."""

    name: str
    image: DetectorInput
    rows: Sequence[FloatArray]
    """As the network gave them."""
    scores: FloatArray
    """Of the faces, also of those a little below the limit."""
    crops: Sequence[Pixels]
    embeddings: FloatArray


@pytest.fixture(scope="module")
def pack(pack_dir: Path) -> Pack:
    return load_pack(pack_dir)


@pytest.fixture(scope="module")
def photos(pack: Pack, shared: Path) -> list[Seen]:
    detection, recognition = pack.detector_graph, pack.recogniser_graph
    detector = Detector(detection, OnnxSessions(detection.model, OnnxOptions())())
    recogniser = Recogniser(recognition, OnnxSessions(recognition.model, OnnxOptions())())
    return [
        _seen(decode(file.read_bytes(), LIMITS), file.name, detector, recogniser)
        for file in sorted((shared / "data" / "photos").iterdir())
    ]


def _seen(photo: Photo, name: str, detector: Detector, recogniser: Recogniser) -> Seen:
    image = letterbox(photo, detector.graph.fixed_size or 320)
    (found,) = detector.detect([image], MIN_SCORE - MAX_SCORE_GAP)
    crops = [align(photo, landmarks) for landmarks in found.landmarks[found.scores >= MIN_SCORE]]
    return Seen(name, image, _rows(detector, image), found.scores, crops, recogniser.embed(crops))


def _rows(detector: Detector, image: DetectorInput) -> list[FloatArray]:
    blob = Blobs(detector.graph.normalisation).fill([image.pixels], 1)
    return detector.session.run({detector.graph.input_name: blob})


@pytest.mark.pack
@pytest.mark.slow
@pytest.mark.parametrize("precision", list(Precision))
def test_every_photo_shows_the_same_faces_in_both_runtimes(
    pack: Pack,
    photos: Sequence[Seen],
    precision: Precision,
    record_property: Callable[[str, object], None],
) -> None:
    if precision is Precision.BF16 and not read_cpu().has_bf16:
        pytest.skip("this CPU has no bf16")
    detection, recognition = pack.detector_graph, pack.recogniser_graph
    options = OpenVinoOptions(precision)
    detector = Detector(detection, OpenVinoSessions(detection.model, options)())
    recogniser = Recogniser(recognition, OpenVinoSessions(recognition.model, options)())
    wrong: list[str] = []
    cosines: list[float] = []
    for photo in photos:
        verdict = compare_detections(photo.rows, _rows(detector, photo.image))
        if not verdict.is_close:
            wrong.append(f"{photo.name}: {verdict.measured}")
        (found,) = detector.detect([photo.image], MIN_SCORE)
        sure = (photo.scores >= MIN_SCORE + MAX_SCORE_GAP).sum()
        if not sure <= len(found) <= len(photo.scores):
            wrong.append(f"{photo.name}: another number of faces")
        cosines += (photo.embeddings * recogniser.embed(photo.crops)).sum(axis=1).tolist()
    record_property(
        FIGURE,
        f"openvino {precision} against onnxruntime, {len(cosines)} faces: cosine "
        f"{min(cosines):.5f} at least, {np.median(cosines):.5f} in the middle",
    )
    assert not wrong, "\n".join(wrong)
    assert len(cosines) >= 40
    assert min(cosines) >= (MIN_COSINE if precision is Precision.BF16 else 0.99999)
