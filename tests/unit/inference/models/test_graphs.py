from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from inference.errors import PackError
from inference.models.graphs import (
    DETECTOR_DEFAULT,
    INSIDE,
    NEWEST_IR,
    NEWEST_OPSET,
    OLDEST_OPSET,
    RECOGNISER_DEFAULT,
    DetectorGraph,
    RecogniserGraph,
    RowOrder,
    read_graph,
)
from inference.sessions.onnx import OnnxOptions, OnnxSession
from tests.unit.inference import networks


def test_nine_outputs_are_a_detector_for_any_size(tmp_path: Path) -> None:
    graph = read_graph(networks.detector(tmp_path / "det_10g.onnx"))

    assert isinstance(graph, DetectorGraph)
    assert graph.fixed_size is None
    assert graph.input_name == "image"
    assert graph.output_names[:4] == ("head1_8", "head1_16", "head1_32", "head4_8")
    assert graph.normalisation == DETECTOR_DEFAULT


def test_a_detector_of_one_size_says_which(tmp_path: Path) -> None:
    graph = read_graph(networks.detector(tmp_path / "det.onnx", size=640))

    assert isinstance(graph, DetectorGraph)
    assert graph.fixed_size == 640


@pytest.mark.parametrize(
    ("rows", "order"),
    [
        ("interleaved", RowOrder.INTERLEAVED),
        ("batch_of_one", RowOrder.INTERLEAVED),
        ("contiguous", RowOrder.CONTIGUOUS),
        ("per_image", RowOrder.CONTIGUOUS),
    ],
)
def test_the_row_order_is_read_from_the_transpose(
    tmp_path: Path, rows: networks.Rows, order: RowOrder
) -> None:
    graph = read_graph(networks.detector(tmp_path / "det.onnx", rows=rows))

    assert isinstance(graph, DetectorGraph)
    assert graph.row_order is order


@pytest.mark.parametrize(
    ("heads", "strides"),
    [((1, 4), (8, 16, 32)), ((1, 4), (8, 16, 32, 64, 128)), ((1, 4, 10), (8, 16, 32, 64, 128))],
)
def test_a_detector_without_landmarks_or_of_five_strides_is_refused_by_name(
    tmp_path: Path, heads: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    file = networks.detector(tmp_path / "det_old.onnx", heads=heads, strides=strides)

    with pytest.raises(PackError, match=r"det_old\.onnx: a detector with \d+ outputs"):
        read_graph(file)


def test_outputs_in_another_order_are_refused(tmp_path: Path) -> None:
    file = networks.detector(tmp_path / "det.onnx", heads=(4, 1, 10))

    with pytest.raises(PackError, match="has 4 columns where SCRFD has 1"):
        read_graph(file)


def test_a_detector_that_is_not_square_is_refused(tmp_path: Path) -> None:
    file = networks.detector(tmp_path / "det.onnx", size=640, height=480)

    with pytest.raises(PackError, match="640×480"):
        read_graph(file)


def test_one_output_on_112_pixels_is_a_recogniser_with_its_dim(tmp_path: Path) -> None:
    graph = read_graph(networks.recogniser(tmp_path / "w600k_r50.onnx", dim=512))

    assert isinstance(graph, RecogniserGraph)
    assert graph.dim == 512
    assert graph.normalisation == RECOGNISER_DEFAULT


@pytest.mark.parametrize("size", [56, 168, 224])
def test_networks_of_other_tasks_are_passed_over(tmp_path: Path, size: int) -> None:
    assert read_graph(networks.other_task(tmp_path / "genderage.onnx", size=size)) is None


def test_sub_and_mul_on_the_input_mean_that_the_graph_normalises(tmp_path: Path) -> None:
    recogniser = read_graph(networks.recogniser(tmp_path / "rec.onnx", normalises=True))
    detector = read_graph(networks.detector(tmp_path / "det.onnx", normalises=True))

    assert isinstance(recogniser, RecogniserGraph)
    assert recogniser.normalisation == INSIDE
    # Nine heads hang on the normalised input, but the first operators stand alone.
    assert isinstance(detector, DetectorGraph)
    assert detector.normalisation == INSIDE


@pytest.mark.parametrize("prefix", [["Sub"], ["Mul"], ["Max", "Sub", "Mul"]])
def test_half_a_normalisation_or_a_later_one_is_none(tmp_path: Path, prefix: list[str]) -> None:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", prefix=prefix))

    assert isinstance(graph, RecogniserGraph)
    assert graph.normalisation == RECOGNISER_DEFAULT


def test_the_model_is_given_with_a_free_batch(tmp_path: Path) -> None:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", batch=1))
    assert isinstance(graph, RecogniserGraph)

    model = onnx.load_model_from_string(graph.model())

    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert not model.graph.output[0].type.tensor_type.HasField("shape")


def test_an_embedding_of_undeclared_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="length of its embeddings is not declared"):
        read_graph(networks.recogniser(tmp_path / "rec.onnx", dim=None))


@pytest.mark.parametrize("opset", [OLDEST_OPSET - 1, NEWEST_OPSET + 1])
def test_an_opset_that_does_not_run_here_is_refused_with_those_that_do(
    tmp_path: Path, opset: int
) -> None:
    file = networks.recogniser(tmp_path / "rec.onnx")
    networks.exported_with(file, opset=opset)

    with pytest.raises(PackError, match=rf"rec\.onnx: opset {opset}; .* opset 7 to {NEWEST_OPSET}"):
        read_graph(file)


def test_a_file_format_that_is_too_new_is_refused(tmp_path: Path) -> None:
    file = networks.recogniser(tmp_path / "rec.onnx")
    networks.exported_with(file, ir_version=NEWEST_IR + 1)

    with pytest.raises(PackError, match=rf"rec\.onnx: ONNX format {NEWEST_IR + 1}"):
        read_graph(file)


def test_a_network_of_another_task_may_be_of_any_opset(tmp_path: Path) -> None:
    file = networks.other_task(tmp_path / "genderage.onnx", size=56)
    networks.exported_with(file, opset=NEWEST_OPSET + 1)

    assert read_graph(file) is None


def test_what_is_let_through_is_what_onnxruntime_loads(tmp_path: Path) -> None:
    def runs(**version: int) -> bool:
        file = networks.recogniser(tmp_path / "rec.onnx")
        networks.exported_with(file, **version)
        try:
            OnnxSession(file.read_bytes(), OnnxOptions())
        except PackError:
            return False
        return True

    assert runs(opset=OLDEST_OPSET)
    assert runs(opset=NEWEST_OPSET)
    assert runs(ir_version=NEWEST_IR)
    # A newer onnxruntime takes more: raise the limits with it.
    assert not runs(opset=NEWEST_OPSET + 1)
    assert not runs(ir_version=NEWEST_IR + 1)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_file_is_damaged_wherever_it_ends(tmp_path: Path, share: float) -> None:
    file = networks.recogniser(tmp_path / "rec.onnx")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(PackError, match=r"rec\.onnx: damaged, or no ONNX file"):
        read_graph(file)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"rec\.onnx: .* is missing"):
        read_graph(tmp_path / "rec.onnx")
