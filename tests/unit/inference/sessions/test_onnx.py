from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from inference.errors import DeviceError, ModelFault, PackError
from inference.models.graphs import RecogniserGraph, read_graph
from inference.sessions.gpu import GpuOptions, GpuProvider
from inference.sessions.onnx import OnnxOptions, OnnxSession, OnnxSessions
from tests.unit.inference import networks

has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture
def graph(tmp_path: Path) -> RecogniserGraph:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", dim=16, batch=1))
    assert isinstance(graph, RecogniserGraph)
    return graph


def faces(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 112, 112)).astype(np.float32)


def test_a_network_whose_batch_was_written_as_one_runs_any_batch(graph: RecogniserGraph) -> None:
    session = OnnxSessions(graph.model, OnnxOptions())()

    (rows,) = session.run({"image": faces(3)})

    assert rows.shape == (3, 16)
    assert session.inputs[0].shape == (None, 3, 112, 112)
    assert [output.name for output in session.outputs] == ["embedding"]


def test_a_session_says_what_it_runs_on(graph: RecogniserGraph) -> None:
    session = OnnxSession(graph.model(), OnnxOptions())

    assert session.device == "cpu"
    assert session.runtime == f"onnxruntime {onnxruntime.__version__}"
    assert list(session.providers) == ["CPUExecutionProvider"]


def test_every_call_of_the_factory_makes_another_session(graph: RecogniserGraph) -> None:
    make = OnnxSessions(graph.model, OnnxOptions())

    assert make() is not make()


def test_a_session_does_not_hold_the_bytes_it_was_made_of(graph: RecogniserGraph) -> None:
    model = graph.model()
    held_before = sys.getrefcount(model)

    session = OnnxSession(model, OnnxOptions())

    assert sys.getrefcount(model) == held_before
    assert session.run({"image": faces(1)})[0].shape == (1, 16)


@pytest.mark.skipif(has_cuda, reason="CUDA is here")
@pytest.mark.parametrize("device", ["cuda:0", "cuda"])
def test_cuda_without_cuda_is_refused(graph: RecogniserGraph, device: str) -> None:
    with pytest.raises(DeviceError, match=r"has no CUDA.*facesearch\[gpu\]"):
        OnnxSession(graph.model(), OnnxOptions(device=device))


@pytest.mark.skipif(has_cuda, reason="CUDA is here")
def test_tensorrt_without_a_gpu_build_is_refused(graph: RecogniserGraph) -> None:
    options = OnnxOptions(device="cuda:0", gpu=GpuOptions(provider=GpuProvider.TENSORRT))

    with pytest.raises(DeviceError, match=r"has no CUDA.*facesearch\[gpu\]"):
        OnnxSession(graph.model(), options)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:x", "cpu:1", "cuda:-1"])
def test_an_unknown_device_is_refused(graph: RecogniserGraph, device: str) -> None:
    with pytest.raises(DeviceError, match="unknown device"):
        OnnxSession(graph.model(), OnnxOptions(device=device))


def test_what_is_no_network_is_refused_in_one_line() -> None:
    with pytest.raises(PackError, match="cannot run this network") as raised:
        OnnxSession(b"no network", OnnxOptions())
    assert "\n" not in str(raised.value)


def test_a_failed_run_is_a_fault_of_the_model(graph: RecogniserGraph) -> None:
    session = OnnxSession(graph.model(), OnnxOptions())

    with pytest.raises(ModelFault, match="onnxruntime failed"):
        session.run({"image": np.zeros((1, 3, 64, 64), dtype=np.float32)})


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    code = (
        "import os, sys; os.environ.pop('ORT_DISABLE_TELEMETRY', None);"
        "import inference.sessions.session; assert 'onnxruntime' not in sys.modules;"
        "import inference.sessions.onnx; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "1"
