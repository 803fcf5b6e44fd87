from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.errors import ModelFault, PackError
from inference.models.graphs import RECOGNISER_DEFAULT, RecogniserGraph, read_graph
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import Pixels
from inference.sessions.fake import fake_recogniser
from inference.sessions.onnx import OnnxOptions, OnnxSessions
from tests.unit.inference import networks


@pytest.fixture
def graph() -> RecogniserGraph:
    """A graph that a fake session of eight values fits."""
    return RecogniserGraph(Path("rec.onnx"), "input", "embedding", 8, RECOGNISER_DEFAULT)


def crops(count: int) -> list[Pixels]:
    generator = np.random.default_rng(2)
    return list(generator.integers(0, 256, (count, 112, 112, 3), dtype=np.uint8))


def load(file: Path) -> Recogniser:
    graph = read_graph(file)
    assert isinstance(graph, RecogniserGraph)
    return Recogniser.load(graph, OnnxSessions(graph.model, OnnxOptions()))


def test_embeddings_have_unit_length_and_come_in_order(tmp_path: Path) -> None:
    recogniser = load(networks.recogniser(tmp_path / "rec.onnx", batch=1))
    faces = crops(5)

    together = recogniser.embed(faces)

    assert recogniser.batched
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for face, embedding in zip(faces, together, strict=True):
        assert recogniser.embed([face])[0] @ embedding > 0.9999


def test_an_export_that_holds_on_to_one_face_runs_singly(tmp_path: Path) -> None:
    recogniser = load(networks.recogniser(tmp_path / "rec.onnx", holds_batch_of_one=True))

    assert not recogniser.batched
    assert recogniser.embed(crops(3)).shape == (3, 16)


def test_a_normalisation_inside_gives_the_same_as_one_outside(tmp_path: Path) -> None:
    inside = load(networks.recogniser(tmp_path / "inside.onnx", normalises=True))
    outside = load(networks.recogniser(tmp_path / "outside.onnx"))

    assert np.allclose(inside.embed(crops(2)), outside.embed(crops(2)), atol=1e-4)


def test_the_network_sees_red_first(tmp_path: Path) -> None:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", normalises=True))
    assert isinstance(graph, RecogniserGraph)
    session = fake_recogniser(
        dim=16, answer=lambda feeds: [feeds["image"][:, :, :4, :4].reshape(-1, 48)[:, ::3].copy()]
    )
    red = np.zeros((112, 112, 3), dtype=np.uint8)
    red[..., 0] = 200

    embedding = Recogniser(graph, session).embed([red])[0]

    assert embedding[0] > 0
    assert embedding[-1] == 0


def test_a_batch_is_padded_to_its_bucket(graph: RecogniserGraph) -> None:
    session = fake_recogniser(dim=8)

    found = Recogniser(graph, session, batched=True).embed(crops(3), bucket=4)

    assert session.batch_sizes == [4]
    assert found.shape == (3, 8)


def test_no_face_is_no_run(graph: RecogniserGraph) -> None:
    session = fake_recogniser(dim=8)

    assert Recogniser(graph, session).embed([]).shape == (0, 8)
    assert session.runs == []


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_embedding_without_direction_is_a_fault_of_the_model(
    graph: RecogniserGraph, value: float
) -> None:
    session = fake_recogniser(answer=lambda _feeds: [np.full((1, 8), value, dtype=np.float32)])

    with pytest.raises(ModelFault, match="without a direction"):
        Recogniser(graph, session).embed(crops(1))


def test_embeddings_of_another_length_are_a_fault_of_the_model(graph: RecogniserGraph) -> None:
    with pytest.raises(ModelFault, match="gave"):
        Recogniser(graph, fake_recogniser(dim=4)).embed(crops(1))


def test_a_network_of_another_dim_than_it_declares_is_refused_by_name(
    graph: RecogniserGraph,
) -> None:
    with pytest.raises(PackError, match=r"rec\.onnx: the recogniser gave"):
        Recogniser.load(graph, lambda: fake_recogniser(dim=4))


@pytest.mark.pack
def test_the_weights_at_hand_embed_batches_as_they_embed_single_faces(
    recogniser: Recogniser,
) -> None:
    faces = crops(4)

    together = recogniser.embed(faces, bucket=8)

    assert recogniser.batched
    alone = np.concatenate([recogniser.embed([face]) for face in faces])
    assert (together * alone).sum(axis=1).min() >= 0.9999
