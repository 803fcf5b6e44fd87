"""The networks, and what is exported of them, as the server reads it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

import onnx  # noqa: E402

from inference.models.graphs import DetectorGraph, RecogniserGraph, RowOrder, read_graph  # noqa: E402
from inference.pipeline.detect import Detector as ServedDetector  # noqa: E402
from inference.sessions.onnx import OnnxOptions, OnnxSessions  # noqa: E402
from training.data.store import PreparedSet  # noqa: E402
from training.detector.network import Detector, Widths  # noqa: E402
from training.detector.scenes import Scenes  # noqa: E402
from training.detector.task import DetectorTask  # noqa: E402
from training.errors import TrainingError  # noqa: E402
from training.export.graphs import (  # noqa: E402
    CLEAR_AT,
    FAINT_SLOPE,
    detector_model,
    recogniser_model,
)
from training.loop.average import mean_weights  # noqa: E402
from training.loop.schedule import Schedule  # noqa: E402
from training.recogniser.network import (  # noqa: E402
    Depths,
    Recogniser,
    grown_from_first,
)

SMALL = Widths(4, 4, 8, 8, 8, 8, (0, 0, 0, 0))


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(2)
    network = Detector(SMALL)
    network.eval()
    with torch.no_grad():
        network.scales.copy_(torch.tensor([1.5, 2.5, 3.5]))
        for head in network.heads:  # scores on both sides of where they bend
            head.outputs[0].weight *= 1000
            head.outputs[0].bias.fill_(CLEAR_AT)
    return network


def test_the_exported_detector_gives_what_the_network_gives(
    detector: Detector, tmp_path: Path
) -> None:
    file = tmp_path / "det.onnx"
    onnx.save(detector_model(detector), file)
    graph = read_graph(file)
    assert isinstance(graph, DetectorGraph)
    assert (graph.fixed_size, graph.row_order) == (None, RowOrder.CONTIGUOUS)
    session = OnnxSessions(graph.model, OnnxOptions())()
    # Neither the batch nor the size is the one it was traced with.
    images = np.random.default_rng(3).standard_normal((2, 3, 96, 96)).astype(np.float32)
    outputs = session.run({graph.input_name: images})
    with torch.no_grad():
        rows = detector(torch.from_numpy(images))
    above = rows.logits - CLEAR_AT
    scores = torch.where(above > 0, above, FAINT_SLOPE * above).sigmoid()
    assert 0 < (above > 0).float().mean() < 1
    expected = (scores.unsqueeze(-1), rows.distances, rows.offsets)
    for kind, whole in enumerate(expected):
        found = np.concatenate(outputs[3 * kind : 3 * kind + 3], axis=1)
        np.testing.assert_allclose(found, whole.numpy(), atol=1e-4)


def test_blocks_for_landmarks_that_are_new_change_nothing(detector: Detector) -> None:
    without = Detector(dataclasses.replace(SMALL, landmark_blocks=0)).eval()
    within = Detector(SMALL).eval()
    within.take(without.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(within(images).offsets, without(images).offsets)
        within.take(detector.state_dict())
        torch.testing.assert_close(within(images).offsets, detector(images).offsets)
    assert len(Detector.of(without.state_dict(), SMALL).heads[0].landmarks) == 0
    assert len(Detector.of(within.state_dict(), SMALL).heads[0].landmarks) == SMALL.landmark_blocks
    other = Detector(dataclasses.replace(SMALL, neck=4))
    with pytest.raises((RuntimeError, TrainingError)):
        within.take(other.state_dict())
    with pytest.raises(TrainingError, match="another network"):
        within.take({})


def test_landmarks_are_trained_alone(one_face: PreparedSet) -> None:
    network = Detector(SMALL)
    grounds = [np.full((80, 80, 3), 90, np.uint8)]
    task = DetectorTask(
        network,
        Scenes([one_face], grounds),
        [],
        grounds,
        Schedule(steps=2, peak=0.01, warmup=1),
        seed=1,
        negatives=1.0,
        landmarks_alone=True,
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task.step(0)
    after = network.state_dict()
    changed = {name for name, value in after.items() if not value.equal(before[name])}
    assert changed
    assert all(".landmarks." in name or ".outputs.2." in name for name in changed)


def test_the_mean_of_networks_is_the_mean_of_each_of_their_weights() -> None:
    one, other = Detector(SMALL).state_dict(), Detector(SMALL).state_dict()
    mean = mean_weights([one, other])
    assert mean.keys() == one.keys()
    for name, weights in mean.items():
        if weights.is_floating_point():
            torch.testing.assert_close(weights, (one[name] + other[name]) / 2)
        else:
            assert torch.equal(weights, other[name])
    Detector(SMALL).load_state_dict(mean)


def test_the_server_takes_batches_of_the_exported_detector(
    detector: Detector, tmp_path: Path
) -> None:
    file = tmp_path / "det.onnx"
    onnx.save(detector_model(detector), file)
    graph = read_graph(file)
    assert isinstance(graph, DetectorGraph)
    assert ServedDetector.load(graph, OnnxSessions(graph.model, OnnxOptions())).batched


def test_the_exported_recogniser_gives_what_the_network_gives(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = Recogniser(Depths(1, 0, 1)).eval()
    file = tmp_path / "rec.onnx"
    onnx.save(recogniser_model(network), file)
    graph = read_graph(file)
    assert isinstance(graph, RecogniserGraph)
    assert graph.dim == 512
    images = np.random.default_rng(3).standard_normal((3, 3, 112, 112)).astype(np.float32)
    found = OnnxSessions(graph.model, OnnxOptions())().run({graph.input_name: images})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, network(torch.from_numpy(images)).numpy(), atol=1e-4)


def test_a_deeper_network_begins_where_the_first_student_ended(shared: Path) -> None:
    file = shared / "models" / "student-0" / "student.pt"
    if not file.exists():
        pytest.skip("the weights of student-0 are not among the shared data")
    state = torch.load(file, weights_only=True)
    images = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        first = grown_from_first(state, Depths(1, 2, 2)).eval()(images)
        deeper = grown_from_first(state, Depths(3, 5, 4)).eval()(images)
    torch.testing.assert_close(deeper, first)
