"""Bound inputs on the CPU provider: the same code as on a GPU, with the CPU for its device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from inference.models.graphs import RecogniserGraph, read_graph
from inference.sessions.binding import BoundInputs
from tests.unit.inference import networks


@pytest.fixture
def session(tmp_path: Path) -> onnxruntime.InferenceSession:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", dim=16))
    assert isinstance(graph, RecogniserGraph)
    return onnxruntime.InferenceSession(graph.model(), providers=["CPUExecutionProvider"])


def crops(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, 112, 112)).astype(np.float32)


def test_bound_runs_give_what_plain_runs_give(session: onnxruntime.InferenceSession) -> None:
    bound = BoundInputs(session, "cpu")

    for count, seed in [(1, 1), (4, 2), (1, 3), (4, 4)]:
        feeds = {"image": crops(count, seed)}
        np.testing.assert_array_equal(bound.run(feeds)[0], session.run(None, feeds)[0])


def test_outputs_stay_as_they_are_when_the_next_batch_runs(
    session: onnxruntime.InferenceSession,
) -> None:
    bound = BoundInputs(session, "cpu")

    (first,) = bound.run({"image": crops(2, 1)})
    kept = first.copy()
    bound.run({"image": crops(2, 2)})

    np.testing.assert_array_equal(first, kept)


def test_the_callers_array_may_be_filled_anew_after_a_run(
    session: onnxruntime.InferenceSession,
) -> None:
    bound = BoundInputs(session, "cpu")
    feed = crops(2)
    (expected,) = bound.run({"image": feed.copy()})

    (first,) = bound.run({"image": feed})
    feed[:] = 0
    (second,) = bound.run({"image": feed})

    np.testing.assert_array_equal(first, expected)
    assert not np.array_equal(second, expected)


def test_inputs_are_kept_once_a_shape(session: onnxruntime.InferenceSession) -> None:
    bound = BoundInputs(session, "cpu")

    for count in [1, 2, 4, 2, 1, 4]:
        bound.run({"image": crops(count)})

    assert len(bound) == 3


def test_no_more_inputs_are_kept_than_allowed_and_the_rest_still_runs(
    session: onnxruntime.InferenceSession,
) -> None:
    bound = BoundInputs(session, "cpu", max_shapes=2)

    for count in range(1, 6):
        feeds = {"image": crops(count)}
        np.testing.assert_array_equal(bound.run(feeds)[0], session.run(None, feeds)[0])

    assert len(bound) == 2
