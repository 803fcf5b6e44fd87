"""A precision that finds other faces is not taken, and the verdict is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from inference.errors import ModelFault
from inference.models.graphs import RecogniserGraph, read_graph
from inference.precision.settle import settle
from inference.sessions.kept import KeptFiles
from inference.sessions.onnx import OnnxOptions, OnnxSession, OnnxSessions
from inference.sessions.session import SessionFactory
from tests.unit.inference import networks

ABOUT = ("digest", "openvino 1", "cpu", "bf16")


class Coarse(OnnxSession):
    """A session that sees so few shades that its embeddings differ."""

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        return super().run(
            {name: np.round(feed).astype(np.float32) for name, feed in feeds.items()}
        )


class Counted:
    """Makes sessions and counts them."""

    def __init__(self, make: SessionFactory) -> None:
        self.make = make
        self.made = 0

    def __call__(self) -> OnnxSession:
        self.made += 1
        session = self.make()
        assert isinstance(session, OnnxSession)
        return session


@pytest.fixture
def graph(tmp_path: Path) -> RecogniserGraph:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx"))
    assert isinstance(graph, RecogniserGraph)
    return graph


@pytest.fixture
def exact(graph: RecogniserGraph) -> Counted:
    return Counted(OnnxSessions(graph.model, OnnxOptions()))


@pytest.fixture
def good(graph: RecogniserGraph) -> Counted:
    return Counted(OnnxSessions(graph.model, OnnxOptions()))


@pytest.fixture
def bad(graph: RecogniserGraph) -> Counted:
    return Counted(lambda: Coarse(graph.model(), OnnxOptions()))


@pytest.fixture
def kept(tmp_path: Path) -> KeptFiles:
    return KeptFiles(tmp_path / "kept")


def settled(
    graph: RecogniserGraph,
    exact: Counted,
    hasty: Counted,
    kept: KeptFiles | None,
    about: tuple[str, ...] = ABOUT,
) -> tuple[SessionFactory, list[str]]:
    with capture_logs() as logs:
        taken = settle(graph, exact, hasty, precision="bf16", about=about, kept=kept)
    return taken, [str(line["event"]) for line in logs]


def test_a_precision_that_finds_the_same_is_taken(
    graph: RecogniserGraph, exact: Counted, good: Counted
) -> None:
    assert settled(graph, exact, good, None) == (good, ["precision_checked"])


def test_a_precision_that_finds_something_else_is_refused_and_said(
    graph: RecogniserGraph, exact: Counted, bad: Counted
) -> None:
    taken, events = settled(graph, exact, bad, None)

    assert taken is exact
    assert events == ["precision_checked", "precision_refused"]


def test_a_verdict_is_kept_either_way(
    graph: RecogniserGraph, exact: Counted, good: Counted, bad: Counted, kept: KeptFiles
) -> None:
    settled(graph, exact, good, kept)
    settled(graph, exact, bad, kept, ("another",))
    made = exact.made, good.made, bad.made

    assert settled(graph, exact, good, kept) == (good, [])
    assert settled(graph, exact, bad, kept, ("another",)) == (exact, ["precision_refused"])
    assert (exact.made, good.made, bad.made) == made, "nothing was run again"


def test_another_runtime_cpu_or_network_is_checked_for_itself(
    graph: RecogniserGraph, exact: Counted, good: Counted, kept: KeptFiles
) -> None:
    settled(graph, exact, good, kept)

    for place in range(len(ABOUT)):
        about = (*ABOUT[:place], "another", *ABOUT[place + 1 :])
        assert settled(graph, exact, good, kept, about)[1] == ["precision_checked"]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_damaged_verdict_is_reached_anew(
    graph: RecogniserGraph,
    exact: Counted,
    good: Counted,
    kept: KeptFiles,
    tmp_path: Path,
    is_sealed: bool,
) -> None:
    settled(graph, exact, good, kept)
    (file,) = (tmp_path / "kept").iterdir()
    if is_sealed:
        kept.write(file.name, b"true, but of what?")
    else:
        file.write_bytes(file.read_bytes()[:-1])

    taken, events = settled(graph, exact, good, kept)

    assert taken is good
    assert events[-1] == "precision_checked"
    assert settled(graph, exact, good, kept) == (good, [])


def test_a_network_that_does_not_run_in_float32_is_a_fault(
    graph: RecogniserGraph, good: Counted, tmp_path: Path
) -> None:
    other = read_graph(networks.recogniser(tmp_path / "other.onnx", size=224))
    assert other is None
    broken = Counted(OnnxSessions((tmp_path / "other.onnx").read_bytes, OnnxOptions()))

    with pytest.raises(ModelFault):
        settled(graph, broken, good, None)
