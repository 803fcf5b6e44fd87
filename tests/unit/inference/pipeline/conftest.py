"""Real weights and real photos, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.models.pack import Pack, load_pack
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.sessions.onnx import OnnxOptions, OnnxSessions


@pytest.fixture(scope="session")
def pack(pack_dir: Path) -> Pack:
    return load_pack(pack_dir)


@pytest.fixture(scope="session")
def detector(pack: Pack) -> Detector:
    graph = pack.detector_graph
    return Detector.load(graph, OnnxSessions(graph.model, OnnxOptions()))


@pytest.fixture(scope="session")
def recogniser(pack: Pack) -> Recogniser:
    graph = pack.recogniser_graph
    return Recogniser.load(graph, OnnxSessions(graph.model, OnnxOptions()))


@pytest.fixture(scope="session")
def photos_dir(shared: Path) -> Path:
    return shared / "data" / "photos"
