"""Which runtime, and in what precision: a rule that anyone can predict, not a race at the start."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

from inference.errors import DeviceError, StartError
from inference.sessions.cpu import Cpu

AUTO = "auto"


class Runtime(StrEnum):
    """What runs networks."""

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"


class Precision(StrEnum):
    """In what a network is computed. Its inputs and outputs are float32 always."""

    F32 = "f32"
    BF16 = "bf16"
    """Eight bits of mantissa: twice as fast with AVX-512, three to five times with AMX."""


def is_openvino_installed() -> bool:
    """Whether the package is there. Does not import it."""
    return importlib.util.find_spec("openvino") is not None


def choose_runtime(asked: str, *, device: str, is_openvino_installed: bool, cpu: Cpu) -> Runtime:
    """The runtime for a device.

    asked: "auto" or a runtime. auto: OpenVINO where it is installed, the device is "cpu" and the
    CPU has bf16, which is where it is far ahead of onnxruntime; else onnxruntime. Raises
    StartError if OpenVINO is asked for where it cannot be had, and DeviceError if that is because
    of the device.
    """
    if asked == AUTO:
        is_ahead = is_openvino_installed and device == "cpu" and cpu.has_bf16
        return Runtime.OPENVINO if is_ahead else Runtime.ONNXRUNTIME
    runtime = Runtime(asked)
    if runtime is Runtime.OPENVINO:
        if device != "cpu":
            raise DeviceError(
                f"OpenVINO runs here on the CPU only, not on {device}; set INFERENCE_DEVICE=cpu, "
                "or INFERENCE_RUNTIME=onnxruntime"
            )
        if not is_openvino_installed:
            raise StartError(
                "INFERENCE_RUNTIME=openvino, but OpenVINO is not installed; "
                "pip install 'facesearch[cpu]', or set INFERENCE_RUNTIME=auto"
            )
    return runtime


def choose_precision(asked: str, *, runtime: Runtime, cpu: Cpu) -> Precision:
    """The precision to try first.

    asked: "auto" or a precision. auto: bf16 on OpenVINO where the CPU has it. Raises StartError if
    bf16 is asked for where it cannot be had.
    """
    if asked == AUTO:
        is_ahead = runtime is Runtime.OPENVINO and cpu.has_bf16
        return Precision.BF16 if is_ahead else Precision.F32
    precision = Precision(asked)
    if precision is Precision.BF16:
        if not cpu.has_bf16:
            raise StartError(
                "INFERENCE_PRECISION=bf16, but this CPU has neither avx512_bf16 nor amx_bf16; "
                "set INFERENCE_PRECISION=auto"
            )
        if runtime is not Runtime.OPENVINO:
            raise StartError(
                f"INFERENCE_PRECISION=bf16 needs OpenVINO, but {runtime} runs the networks; "
                "set INFERENCE_RUNTIME=openvino, or INFERENCE_PRECISION=auto"
            )
    return precision
