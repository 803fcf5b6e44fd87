"""How onnxruntime is asked to use an NVIDIA GPU: its providers and their options.

The names of the options are those that onnxruntime-gpu 1.31 parses; one that it does not know is an
error there, never ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference.sessions.session import TensorInfo

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

Providers = list[tuple[str, dict[str, str]]]
"""Execution providers, best first, each with its options."""


class GpuProvider(StrEnum):
    """What runs the kernels."""

    CUDA = "cuda"
    """cuDNN and cuBLAS."""
    TENSORRT = "tensorrt"
    """Engines that TensorRT builds for this network and this GPU: minutes at the first start."""

    @property
    def execution_provider(self) -> str:
        """Its name in onnxruntime."""
        return TENSORRT if self is GpuProvider.TENSORRT else CUDA


@dataclass(frozen=True, slots=True)
class GpuOptions:
    """How a network runs on a GPU."""

    provider: GpuProvider = GpuProvider.CUDA
    memory_limit_bytes: int | None = None
    """Most that the arena of one session holds. What lies outside it (the CUDA context, cuDNN's
    own memory, bound inputs) comes on top. None: as much as the GPU has."""
    is_half: bool = False
    """Compute in float16; inputs and outputs stay float32."""
    is_tf32_allowed: bool = True
    """Let tensor cores round float32 products to 10 bits of mantissa, as CUDA libraries do unless
    told otherwise."""
    engine_dir: Path | None = None
    """Folder of one network for TensorRT's engines and timings. None: build them at each start."""
    batches: tuple[int, ...] = (1,)
    """Batch sizes that will come."""
    sides: tuple[int, ...] = (96,)
    """Pixels a side that will come, where the network leaves them open."""


def gpu_providers(device_id: int, options: GpuOptions, inputs: Sequence[TensorInfo]) -> Providers:
    """The providers for a GPU, best first, with their options.

    inputs: of the network; TensorRT wants to know what shapes will come. The CPU is last among
    them because shapes are computed there; that nothing else is, `placement` checks.
    """
    cuda = _cuda(device_id, options)
    fallback: Providers = [(CUDA, cuda), (CPU, {})]
    if options.provider is GpuProvider.CUDA:
        return fallback
    return [(TENSORRT, _tensorrt(device_id, options, inputs)), *fallback]


def smallest_shape(value: TensorInfo, options: GpuOptions) -> tuple[int, ...]:
    """The cheapest input that a session must take."""
    return _shape(value, min(options.batches), min(options.sides))


def largest_shape(value: TensorInfo, options: GpuOptions) -> tuple[int, ...]:
    """The dearest input that a session must take."""
    return _shape(value, max(options.batches), max(options.sides))


def _shape(value: TensorInfo, batch: int, side: int) -> tuple[int, ...]:
    first, *rest = value.shape
    return (first or batch, *(size or side for size in rest))


def _cuda(device_id: int, options: GpuOptions) -> dict[str, str]:
    given = {
        "device_id": str(device_id),
        # The default, EXHAUSTIVE, times every algorithm again for each shape: minutes of warm-up,
        # and a choice that depends on what else the GPU did at that moment.
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        # The default doubles the arena each time it grows: up to twice of what is needed.
        "arena_extend_strategy": "kSameAsRequested",
        # Copies on a stream of their own may race with the kernels (onnxruntime issue 4829).
        "do_copy_in_default_stream": "1",
        "use_tf32": "1" if options.is_tf32_allowed else "0",
    }
    if options.memory_limit_bytes is not None:
        given["gpu_mem_limit"] = str(options.memory_limit_bytes)
    return given


def _tensorrt(device_id: int, options: GpuOptions, inputs: Sequence[TensorInfo]) -> dict[str, str]:
    # One profile from the smallest to the largest shape, tuned for the largest, which costs most:
    # onnxruntime 1.31 reads several profiles but runs the first (onnxruntime pull request 31624).
    smallest = [(value.name, smallest_shape(value, options)) for value in inputs]
    largest = [(value.name, largest_shape(value, options)) for value in inputs]
    given = {
        "device_id": str(device_id),
        "trt_fp16_enable": "1" if options.is_half else "0",
        "trt_profile_min_shapes": _named(smallest),
        "trt_profile_opt_shapes": _named(largest),
        "trt_profile_max_shapes": _named(largest),
    }
    if options.memory_limit_bytes is not None:
        given["trt_max_workspace_size"] = str(options.memory_limit_bytes)
    if options.engine_dir is not None:
        given |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(options.engine_dir),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(options.engine_dir),
        }
    return given


def _named(shapes: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    return ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes)
