from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from inference.errors import DeviceError
from inference.models.pack import load_pack
from inference.sessions.gpu import CPU, CUDA, TENSORRT
from inference.sessions.placement import HEAVY, Kernel, read_profile, require_on


@pytest.fixture(scope="module")
def on_cpu(pack_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Kernel, ...]:
    """What a detector ran on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path_factory.mktemp("profile") / "warm_up")
    detector = load_pack(pack_dir).detector
    session = onnxruntime.InferenceSession(str(detector), options, [CPU])
    (value,) = session.get_inputs()
    session.run(None, {value.name: np.zeros((1, 3, 96, 96), dtype=np.float32)})
    return read_profile(Path(session.end_profiling()))


def moved(kernels: tuple[Kernel, ...], operators: frozenset[str]) -> tuple[Kernel, ...]:
    """The same run with these operators on a GPU."""
    return tuple(
        replace(kernel, provider=CUDA) if kernel.operator in operators else kernel
        for kernel in kernels
    )


def test_a_profile_tells_of_every_kernel_where_it_ran(on_cpu: tuple[Kernel, ...]) -> None:
    assert {kernel.provider for kernel in on_cpu} == {CPU}
    assert sum(kernel.operator == "Conv" for kernel in on_cpu) > 20
    assert all(kernel.output_bytes > 0 for kernel in on_cpu if kernel.operator == "Conv")


def test_cuda_that_ran_on_the_cpu_is_refused_in_one_line(on_cpu: tuple[Kernel, ...]) -> None:
    with pytest.raises(DeviceError, match=r"cuda:0 .* no kernel ran on CUDA.* Conv on CPU") as told:
        require_on(CUDA, "cuda:0", on_cpu)

    assert "\n" not in str(told.value)


def test_a_run_that_computed_where_it_was_asked_to_passes(on_cpu: tuple[Kernel, ...]) -> None:
    require_on(CPU, "cpu", on_cpu)


def test_shapes_may_be_worked_out_on_the_cpu(on_cpu: tuple[Kernel, ...]) -> None:
    every = frozenset(kernel.operator for kernel in on_cpu)
    # As an FPN that scales up to the size of a level below makes them; not every detector does.
    shapes = [Kernel(name, CPU, 32) for name in ("Shape", "Gather", "Unsqueeze", "Slice", "Concat")]

    require_on(CUDA, "cuda:0", [*moved(on_cpu, every), *shapes])


def test_one_convolution_on_the_cpu_is_one_too_many(on_cpu: tuple[Kernel, ...]) -> None:
    every = frozenset(kernel.operator for kernel in on_cpu)
    on_gpu = list(moved(on_cpu, every))
    first = next(n for n, kernel in enumerate(on_gpu) if kernel.operator == "Conv")
    on_gpu[first] = replace(on_gpu[first], provider=CPU)

    with pytest.raises(DeviceError, match=r"1 of \d+ kernels .*: 1 Conv on CPU"):
        require_on(CUDA, "cuda:0", on_gpu)


def test_activations_on_the_cpu_are_refused_though_no_heavy_operator_ran_there(
    on_cpu: tuple[Kernel, ...],
) -> None:
    with pytest.raises(DeviceError, match=r"bytes of results were made elsewhere"):
        require_on(CUDA, "cuda:0", moved(on_cpu, HEAVY))


def test_tensorrt_that_left_convolutions_to_cuda_is_refused() -> None:
    kernels = [Kernel("TRTKernel_graph_0", TENSORRT, 1000), Kernel("Conv", CUDA, 10)]

    with pytest.raises(DeviceError, match=r"1 of 2 kernels .* than on Tensorrt"):
        require_on(TENSORRT, "cuda:0", kernels)


def test_a_run_without_kernels_is_refused() -> None:
    with pytest.raises(DeviceError, match="no kernel ran"):
        require_on(CUDA, "cuda:0", [])


@pytest.mark.parametrize(
    "content", ["", "{", "[3]", json.dumps([{"cat": "Node", "args": {"provider": CUDA}}])]
)
def test_a_profile_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "profile.json"
    file.write_text(content)

    with pytest.raises(DeviceError, match="profile of the warm-up"):
        read_profile(file)


def test_a_profile_that_was_not_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="profile of the warm-up"):
        read_profile(tmp_path / "profile.json")
