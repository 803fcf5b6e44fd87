"""Sessions on a real GPU; they run where onnxruntime has CUDA, and say so where it has not."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from inference.errors import DeviceError
from inference.models.graphs import DetectorGraph, RecogniserGraph
from inference.models.pack import Pack, load_pack
from inference.pipeline.detect import CHECK_BATCH, CHECK_SIZE, Detector
from inference.pipeline.embed import Recogniser
from inference.sessions.gpu import CUDA, GpuOptions, gpu_providers
from inference.sessions.onnx import OnnxOptions, OnnxSession, OnnxSessions
from inference.sessions.session import TensorInfo

pytestmark = pytest.mark.skipif(
    CUDA not in onnxruntime.get_available_providers(),
    reason="no GPU build of onnxruntime: pip install 'facesearch[gpu]' on a machine with a GPU",
)

BATCHES = (1, CHECK_BATCH, 8)
SIDES = (CHECK_SIZE, 320)
MIB = 1 << 20


@pytest.fixture(scope="module")
def pack(pack_dir: Path) -> Pack:
    return load_pack(pack_dir)


def on_gpu(
    graph: DetectorGraph | RecogniserGraph, *, is_half: bool = False, is_tf32_allowed: bool = True
) -> OnnxSessions:
    gpu = GpuOptions(is_half=is_half, is_tf32_allowed=is_tf32_allowed, batches=BATCHES, sides=SIDES)
    return OnnxSessions(graph.model, OnnxOptions(device="cuda:0", gpu=gpu))


def free_gpu_bytes() -> int:
    """Of the current GPU, by the CUDA runtime that the session has loaded."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    runtime = ctypes.CDLL("libcudart.so.13")
    assert runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)) == 0
    return free.value


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, shape).astype(np.float32)


def test_onnxruntime_knows_every_option_that_it_is_given(pack: Pack) -> None:
    """An unknown option raises; a known one is found again among the session's own."""
    asked = GpuOptions(memory_limit_bytes=1 << 30, batches=BATCHES, sides=SIDES)
    session = onnxruntime.InferenceSession(
        pack.recogniser_graph.model(),
        providers=gpu_providers(0, asked, [TensorInfo("unused", (None, 3, 112, 112))]),
        enable_fallback=0,
    )

    ((_, given), *_) = gpu_providers(0, asked, [])
    taken = session.get_provider_options()[CUDA]
    assert {name: taken[name] for name in given} == given


def test_embeddings_on_the_gpu_are_those_of_the_cpu(pack: Pack) -> None:
    graph = pack.recogniser_graph
    crops = list(noise(8, 112, 112, 3).astype(np.uint8))

    on_cpu = Recogniser.load(graph, OnnxSessions(graph.model, OnnxOptions())).embed(crops)
    exact = Recogniser.load(graph, on_gpu(graph, is_tf32_allowed=False)).embed(crops)
    half = Recogniser.load(graph, on_gpu(graph, is_half=True)).embed(crops)

    assert (on_cpu * exact).sum(axis=1).min() > 0.9999
    assert (on_cpu * half).sum(axis=1).min() > 0.998


def test_a_detector_runs_batches_on_the_gpu(pack: Pack) -> None:
    detector = Detector.load(pack.detector_graph, on_gpu(pack.detector_graph))

    assert detector.batched
    assert detector.session.device == "cuda:0"
    assert detector.session.providers[0] == CUDA


def test_memory_of_the_gpu_stays_as_it_is_after_the_warm_up(pack: Pack) -> None:
    graph = pack.detector_graph
    session = on_gpu(graph)()
    feeds = [{graph.input_name: noise(batch, 3, side, side)} for side in SIDES for batch in BATCHES]
    for feed in feeds:
        session.run(feed)
    free = free_gpu_bytes()

    for _ in range(20):
        for feed in feeds:
            session.run(feed)

    assert free_gpu_bytes() >= free - MIB


def test_a_gpu_that_is_not_there_is_refused(pack: Pack) -> None:
    with pytest.raises(DeviceError, match="cuda:99 "):
        OnnxSession(pack.recogniser_graph.model(), OnnxOptions(device="cuda:99"))
