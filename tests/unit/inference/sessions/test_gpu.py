"""What onnxruntime is asked for on a GPU; no GPU is needed to ask."""

from __future__ import annotations

from pathlib import Path

from inference.sessions.gpu import CPU, CUDA, TENSORRT, GpuOptions, GpuProvider, gpu_providers
from inference.sessions.session import TensorInfo

DETECTOR = [TensorInfo("input.1", (None, 3, None, None))]
RECOGNISER = [TensorInfo("data", (None, 3, 112, 112))]


def test_cuda_is_asked_for_on_the_numbered_gpu_with_a_tight_arena_and_a_quick_search() -> None:
    (name, options), *others = gpu_providers(3, GpuOptions(), RECOGNISER)

    assert name == CUDA
    assert options == {
        "device_id": "3",
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        "arena_extend_strategy": "kSameAsRequested",
        "do_copy_in_default_stream": "1",
        "use_tf32": "1",
    }
    assert others == [(CPU, {})]


def test_the_arena_is_bounded_where_a_limit_is_given() -> None:
    limited = GpuOptions(memory_limit_bytes=2 << 30)

    ((_, options), *_) = gpu_providers(0, limited, RECOGNISER)

    assert options["gpu_mem_limit"] == str(2 << 30)


def test_float32_to_the_last_bit_does_without_tensor_cores_rounding() -> None:
    ((_, options), *_) = gpu_providers(0, GpuOptions(is_tf32_allowed=False), RECOGNISER)

    assert options["use_tf32"] == "0"


def test_tensorrt_is_told_one_range_of_shapes_that_holds_every_bucket_and_look() -> None:
    options = GpuOptions(
        provider=GpuProvider.TENSORRT, batches=(1, 2, 4, 32), sides=(320, 96, 640, 160)
    )

    (name, given), *others = gpu_providers(0, options, DETECTOR)

    assert name == TENSORRT
    assert given["trt_profile_min_shapes"] == "input.1:1x3x96x96"
    assert given["trt_profile_opt_shapes"] == "input.1:32x3x640x640"
    assert given["trt_profile_max_shapes"] == "input.1:32x3x640x640"
    assert [name for name, _ in others] == [CUDA, CPU]


def test_tensorrt_keeps_the_sides_that_a_network_fixes() -> None:
    options = GpuOptions(provider=GpuProvider.TENSORRT, batches=(1, 16), sides=(96, 640))

    ((_, given), *_) = gpu_providers(0, options, RECOGNISER)

    assert given["trt_profile_min_shapes"] == "data:1x3x112x112"
    assert given["trt_profile_max_shapes"] == "data:16x3x112x112"


def test_tensorrt_keeps_its_engines_where_a_folder_is_given(tmp_path: Path) -> None:
    kept = GpuOptions(provider=GpuProvider.TENSORRT, engine_dir=tmp_path, is_half=True)

    ((_, given), *_) = gpu_providers(0, kept, RECOGNISER)

    assert given["trt_fp16_enable"] == "1"
    assert given["trt_engine_cache_enable"] == given["trt_timing_cache_enable"] == "1"
    assert given["trt_engine_cache_path"] == given["trt_timing_cache_path"] == str(tmp_path)


def test_tensorrt_keeps_nothing_without_a_folder() -> None:
    ((_, given), *_) = gpu_providers(0, GpuOptions(provider=GpuProvider.TENSORRT), RECOGNISER)

    assert not [name for name in given if "cache" in name]
