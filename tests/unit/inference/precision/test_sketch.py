"""Drawn faces do what real ones do: they are found, and each has an embedding of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.models.pack import Pack, load_pack
from inference.pipeline.align import align
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import Photo
from inference.pipeline.letterbox import DetectorInput
from inference.precision.sketch import FACES, SIDE, draw, draw_group
from inference.sessions.onnx import OnnxOptions, OnnxSessions


@pytest.fixture(scope="module")
def pack(pack_dir: Path) -> Pack:
    return load_pack(pack_dir)


def test_a_drawing_is_the_same_each_time() -> None:
    assert np.array_equal(draw(FACES[0]), draw(FACES[0]))
    assert draw(FACES[1], 64).shape == (64, 64, 3)


@pytest.mark.pack
@pytest.mark.parametrize("size", [320, 640])
def test_a_detector_finds_every_face_of_the_group(pack: Pack, size: int) -> None:
    graph = pack.detector_graph
    if graph.fixed_size not in (None, size):
        pytest.skip(f"this detector takes {graph.fixed_size} pixels only")
    detector = Detector(graph, OnnxSessions(graph.model, OnnxOptions())())

    (found,) = detector.detect([DetectorInput(draw_group(size), 1.0, 0.0, 0.0)])

    heights = found.boxes[:, 3] - found.boxes[:, 1]
    assert len(found) == 8
    assert heights.max() > 2 * heights.min(), "all sizes, so that all strides are looked at"


@pytest.mark.pack
def test_the_landmarks_are_where_a_detector_finds_them(pack: Pack) -> None:
    graph = pack.detector_graph
    if graph.fixed_size is not None:
        pytest.skip("this detector takes one size only")
    detector = Detector(graph, OnnxSessions(graph.model, OnnxOptions())())
    for face in FACES:
        (found,) = detector.detect([DetectorInput(draw(face), 1.0, 0.0, 0.0)])
        distances = np.linalg.norm(found.landmarks[0] - face.landmarks, axis=1)
        assert distances.max() < 0.05 * SIDE


@pytest.mark.pack
def test_a_recogniser_tells_the_faces_apart(pack: Pack) -> None:
    graph = pack.recogniser_graph
    recogniser = Recogniser(graph, OnnxSessions(graph.model, OnnxOptions())())

    embeddings = recogniser.embed(
        [align(Photo(draw(face), SIDE, SIDE), face.landmarks) for face in FACES]
    )

    alike = (embeddings @ embeddings.T)[np.triu_indices(len(FACES), k=1)]
    assert alike.max() < 0.98
