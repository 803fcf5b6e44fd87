"""Networks in float16: converted for GPUs, checked here on the CPU, which rounds the same."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from inference.errors import PackError
from inference.models.graphs import DetectorGraph, RecogniserGraph
from inference.models.pack import Pack, load_pack
from inference.sessions.half import to_half
from inference.sessions.onnx import OnnxOptions, OnnxSession


@pytest.fixture(scope="module")
def pack(pack_dir: Path) -> Pack:
    return load_pack(pack_dir)


def portrait(shared: Path, size: int) -> np.ndarray:
    """A real face that fills the frame, RGB of 0 to 255."""
    image = cv2.imread(str(shared / "data" / "photos" / "crop_crop.png"))
    assert image is not None
    return cv2.cvtColor(cv2.resize(image, (size, size)), cv2.COLOR_BGR2RGB)


def run(
    graph: DetectorGraph | RecogniserGraph, model: bytes, pixels: np.ndarray
) -> list[np.ndarray]:
    normalisation = graph.normalisation
    blob = (pixels.astype(np.float32) - normalisation.mean) / normalisation.std
    feeds = {graph.input_name: np.ascontiguousarray(blob.transpose(2, 0, 1)[None])}
    return OnnxSession(model, OnnxOptions()).run(feeds)


def test_embeddings_of_a_recogniser_in_float16_point_the_same_way(pack: Pack, shared: Path) -> None:
    graph = pack.recogniser_graph
    face = portrait(shared, 112)

    (full,), (half,) = (
        run(graph, model, face) for model in (graph.model(), to_half(graph.model()))
    )

    cosine = float(full[0] @ half[0] / np.linalg.norm(full) / np.linalg.norm(half))
    assert half.dtype == np.float32
    assert cosine > 0.9999
    assert not np.array_equal(full, half)


def test_a_detector_in_float16_scores_and_places_the_same(pack: Pack, shared: Path) -> None:
    graph = pack.detector_graph
    photo = portrait(shared, 160)

    full, half = (run(graph, model, photo) for model in (graph.model(), to_half(graph.model())))

    for scores, rounded in zip(full[:3], half[:3], strict=True):
        np.testing.assert_allclose(rounded, scores, atol=0.005)
    for distances, rounded in zip(full[3:], half[3:], strict=True):
        np.testing.assert_allclose(rounded, distances, atol=0.03)


def test_a_network_in_float16_takes_half_the_bytes(pack: Pack) -> None:
    model = pack.recogniser_graph.model()

    assert len(to_half(model)) < 0.6 * len(model)


def test_no_network_is_refused() -> None:
    with pytest.raises(PackError, match="cannot be converted to float16"):
        to_half(b"no network")


def test_the_scales_of_resize_stay_float32(pack: Pack) -> None:
    half = onnx.load_model_from_string(to_half(pack.detector_graph.model()))
    kinds = {weight.name: weight.data_type for weight in half.graph.initializer}
    scales = [node.input[2] for node in half.graph.node if node.op_type == "Resize"]

    assert scales
    assert len(set(scales)) == len(scales)
    assert {kinds[name] for name in scales if name in kinds} <= {onnx.TensorProto.FLOAT}
