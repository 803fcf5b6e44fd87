"""The sessions of a pack on an NVIDIA GPU, by the settings."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import structlog

from inference.errors import DeviceError, ModelFault, PackError
from inference.fair_queue import BatchPolicy
from inference.models.graphs import DetectorGraph, RecogniserGraph
from inference.models.pack import Pack
from inference.pipeline.detect import CHECK_BATCH, CHECK_SIZE
from inference.precision.check import check_precision
from inference.sessions.engines import engine_dir
from inference.sessions.gpu import GpuOptions, GpuProvider
from inference.sessions.onnx import OnnxOptions, OnnxSessions
from inference.sessions.session import Session, SessionFactory
from inference.settings import Settings

_log = structlog.get_logger("inference.on_gpu")


class OneAtATime:
    """A factory that waits while another one of the same lock is at work.

    Sessions that are made at once on one GPU can fail (docling.rs issue 452), and the second of two
    TensorRT sessions finds the engines that the first has built.
    """

    def __init__(self, make: SessionFactory, lock: Lock) -> None:
        self._make = make
        self._lock = lock

    def __call__(self) -> Session:
        """Raises what the factory raises."""
        with self._lock:
            return self._make()


def detector_on_gpu(pack: Pack, settings: Settings, lock: Lock) -> SessionFactory:
    """Makes sessions of the detector.

    lock: shared by all networks of one GPU. Raises StartError: in float16 it finds other faces.
    """
    return _sessions(
        pack,
        pack.detector_graph,
        settings,
        settings.detector_policy,
        settings.look_policy.shapes,
        lock,
    )


def recogniser_on_gpu(pack: Pack, settings: Settings, lock: Lock) -> SessionFactory:
    """Makes sessions of the recogniser.

    lock: shared by all networks of one GPU. Raises StartError: in float16 its embeddings differ.
    """
    return _sessions(pack, pack.recogniser_graph, settings, settings.recogniser_policy, (), lock)


def gpu_options(
    settings: Settings, policy: BatchPolicy, look_sizes: tuple[int, ...], *, is_half: bool
) -> GpuOptions:
    """What a network is told of its GPU; `engine_dir` is left open.

    The check of batches at load is among the shapes that will come.
    """
    return GpuOptions(
        provider=GpuProvider(settings.provider),
        memory_limit_bytes=settings.gpu_memory_bytes,
        is_half=is_half,
        is_tf32_allowed=settings.precision != "f32",
        batches=tuple(sorted({CHECK_BATCH, *policy.warm_sizes()})),
        sides=tuple(sorted({CHECK_SIZE, *look_sizes})),
    )


def _sessions(
    pack: Pack,
    graph: DetectorGraph | RecogniserGraph,
    settings: Settings,
    policy: BatchPolicy,
    look_sizes: tuple[int, ...],
    lock: Lock,
) -> SessionFactory:
    def make(*, is_half: bool) -> SessionFactory:
        gpu = gpu_options(settings, policy, look_sizes, is_half=is_half)
        if gpu.provider is GpuProvider.TENSORRT and settings.cache_folder is not None:
            network = pack.sha256[graph.file.name]
            gpu = replace(gpu, engine_dir=engine_dir(settings.cache_folder, network, gpu))
        options = OnnxOptions(device=settings.device, threads=settings.threads, gpu=gpu)
        return OneAtATime(OnnxSessions(graph.model, options), lock)

    exact = make(is_half=False)
    if settings.precision != "fp16":
        return exact
    half = make(is_half=True)
    try:
        verdict = check_precision(graph, exact, half)
    except ModelFault as fault:
        raise PackError(f"{graph.file.name}: {fault}") from fault
    if not verdict.is_close:
        raise DeviceError(
            f"{graph.file.name} in float16 strays too far from float32 ({verdict.measured}); "
            "set INFERENCE_PRECISION=auto"
        )
    _log.info("precision_checked", network=graph.file.name, measured=verdict.measured)
    return half
