"""What counts as the same faces and the same embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from inference.errors import ModelFault
from inference.models.graphs import DetectorGraph, RecogniserGraph, read_graph
from inference.models.pack import load_pack
from inference.pipeline.faces import FloatArray
from inference.precision.check import check_precision, compare_detections, compare_embeddings
from inference.sessions.fake import Feeds, detector_rows, fake_recogniser
from inference.sessions.onnx import OnnxOptions, OnnxSessions
from tests.unit.inference import networks

SCORE, BOX, LANDMARKS = 2, 5, 8
"""The heads of the coarsest stride, where `detector_rows` puts its faces."""


@pytest.fixture
def rows() -> list[FloatArray]:
    """Two faces in a row."""
    return detector_rows([2], 128, 0.8)


def test_the_same_rows_are_the_same_faces(rows: list[FloatArray]) -> None:
    verdict = compare_detections(rows, [one.copy() for one in rows])

    assert verdict.is_close
    assert verdict.measured == "scores within 0.0000, lowest IoU 1.0000"


@pytest.mark.parametrize(("gap", "is_close"), [(0.019, True), (0.021, False)])
def test_scores_may_be_a_fiftieth_apart_on_any_anchor(
    rows: list[FloatArray], gap: float, is_close: bool
) -> None:
    found = [one.copy() for one in rows]
    found[0][7] += gap

    assert compare_detections(rows, found).is_close is is_close


@pytest.mark.parametrize(("shrink", "is_close"), [(0.98, True), (0.96, False)])
def test_the_box_of_a_face_may_lose_three_hundredths(
    rows: list[FloatArray], shrink: float, is_close: bool
) -> None:
    face = int(np.argmax(rows[SCORE][:, 0]))
    found = [one.copy() for one in rows]
    found[BOX][face, 2] = rows[BOX][face, 2] * (2 * shrink - 1)

    verdict = compare_detections(rows, found)

    assert verdict.is_close is is_close
    assert f"lowest IoU {shrink:.4f}" in verdict.measured


def test_boxes_where_there_is_no_face_do_not_matter(rows: list[FloatArray]) -> None:
    nobody = int(np.argmin(rows[SCORE][:, 0]))
    found = [one.copy() for one in rows]
    found[BOX][nobody] = 3.0

    assert compare_detections(rows, found).is_close


@pytest.mark.parametrize("head", [SCORE, BOX, LANDMARKS])
def test_what_is_not_a_number_is_not_close(rows: list[FloatArray], head: int) -> None:
    found = [one.copy() for one in rows]
    found[head][0, 0] = np.nan

    assert not compare_detections(rows, found).is_close


@pytest.mark.parametrize(("cosine", "is_close"), [(0.9985, True), (0.9975, False)])
def test_the_worst_embedding_decides_whatever_its_length(cosine: float, is_close: bool) -> None:
    expected = np.array([[1, 0], [0, 3]], dtype=np.float32)
    found = np.array([[2, 0], [np.sqrt(1 - cosine**2), cosine]], dtype=np.float32)

    verdict = compare_embeddings(expected, found)

    assert verdict.is_close is is_close
    assert verdict.measured == f"lowest cosine {cosine:.4f}"


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_embedding_without_direction_is_not_close(value: float) -> None:
    expected = np.ones((2, 8), dtype=np.float32)
    found = expected.copy()
    found[1] = value

    with np.errstate(invalid="ignore"):
        assert not compare_embeddings(expected, found).is_close


def test_a_precision_in_which_the_network_does_not_run_is_not_close(tmp_path: Path) -> None:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx"))
    assert isinstance(graph, RecogniserGraph)

    def broken(_feeds: Feeds) -> list[FloatArray]:
        raise ModelFault("no such instruction")

    verdict = check_precision(
        graph, OnnxSessions(graph.model, OnnxOptions()), lambda: fake_recogniser(answer=broken)
    )

    assert not verdict.is_close
    assert verdict.measured == "no such instruction"


@pytest.mark.pack
@pytest.mark.parametrize(("bits", "is_close"), [(10, True), (4, False)])
@pytest.mark.parametrize("role", ["detector", "recogniser"])
def test_weights_at_hand_rounded_too_far_are_found_out(
    pack_dir: Path, role: str, bits: int, is_close: bool
) -> None:
    pack = load_pack(pack_dir)
    graph = pack.detector_graph if role == "detector" else pack.recogniser_graph
    rounded = _rounded(graph, bits)

    verdict = check_precision(
        graph,
        OnnxSessions(graph.model, OnnxOptions()),
        OnnxSessions(lambda: rounded, OnnxOptions()),
    )

    assert verdict.is_close is is_close, verdict.measured


def _rounded(graph: DetectorGraph | RecogniserGraph, bits: int) -> bytes:
    """The network with so many bits of mantissa in its weights; bf16 has 8."""
    model = onnx.load_from_string(graph.model())
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            mantissas, exponents = np.frexp(numpy_helper.to_array(weight))
            values = np.ldexp(np.round(mantissas * 2**bits) / 2**bits, exponents)
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float32), weight.name))
    return model.SerializeToString()
