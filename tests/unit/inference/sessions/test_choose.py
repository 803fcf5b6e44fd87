"""The rule by which a runtime and a precision are taken."""

from __future__ import annotations

import pytest

from inference.errors import DeviceError, StartError
from inference.sessions.choose import Precision, Runtime, choose_precision, choose_runtime
from inference.sessions.cpu import Cpu

WITH_BF16 = Cpu("zen4", frozenset({"avx512f", "avx512_bf16"}))
WITHOUT_BF16 = Cpu("haswell", frozenset({"avx2"}))


def chosen(
    asked: str = "auto", *, device: str = "cpu", installed: bool = True, cpu: Cpu = WITH_BF16
) -> Runtime:
    return choose_runtime(asked, device=device, is_openvino_installed=installed, cpu=cpu)


def test_auto_is_openvino_where_it_is_installed_and_the_cpu_has_bf16() -> None:
    assert chosen() is Runtime.OPENVINO


@pytest.mark.parametrize(
    ("device", "installed", "cpu"),
    [
        ("cpu", False, WITH_BF16),
        ("cpu", True, WITHOUT_BF16),
        ("cuda:0", True, WITH_BF16),
        ("cuda", True, WITH_BF16),
    ],
)
def test_auto_is_onnxruntime_everywhere_else(device: str, installed: bool, cpu: Cpu) -> None:
    assert chosen(device=device, installed=installed, cpu=cpu) is Runtime.ONNXRUNTIME


def test_what_is_asked_for_is_taken() -> None:
    assert chosen("onnxruntime") is Runtime.ONNXRUNTIME
    assert chosen("openvino", cpu=WITHOUT_BF16) is Runtime.OPENVINO


def test_openvino_that_is_not_installed_is_refused_with_what_to_install() -> None:
    with pytest.raises(StartError, match=r"not installed; pip install 'facesearch\[cpu\]'") as said:
        chosen("openvino", installed=False)
    assert "\n" not in str(said.value)


def test_openvino_on_a_gpu_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"not on cuda:0; set INFERENCE_DEVICE=cpu"):
        chosen("openvino", device="cuda:0")


@pytest.mark.parametrize(
    ("runtime", "cpu", "precision"),
    [
        (Runtime.OPENVINO, WITH_BF16, Precision.BF16),
        (Runtime.OPENVINO, WITHOUT_BF16, Precision.F32),
        (Runtime.ONNXRUNTIME, WITH_BF16, Precision.F32),
    ],
)
def test_auto_is_bf16_on_openvino_where_the_cpu_has_it(
    runtime: Runtime, cpu: Cpu, precision: Precision
) -> None:
    assert choose_precision("auto", runtime=runtime, cpu=cpu) is precision


def test_f32_is_to_be_had_everywhere() -> None:
    for runtime in Runtime:
        for cpu in (WITH_BF16, WITHOUT_BF16):
            assert choose_precision("f32", runtime=runtime, cpu=cpu) is Precision.F32


def test_bf16_is_refused_where_it_cannot_be_had() -> None:
    assert choose_precision("bf16", runtime=Runtime.OPENVINO, cpu=WITH_BF16) is Precision.BF16
    with pytest.raises(StartError, match="this CPU has neither avx512_bf16 nor amx_bf16"):
        choose_precision("bf16", runtime=Runtime.OPENVINO, cpu=WITHOUT_BF16)
    with pytest.raises(StartError, match="needs OpenVINO, but onnxruntime"):
        choose_precision("bf16", runtime=Runtime.ONNXRUNTIME, cpu=WITH_BF16)
