"""Sessions of onnxruntime: the only file that imports it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

# onnxruntime reads it while it is imported: a photo service does not report to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from inference.errors import DeviceError, ModelFault, PackError
from inference.sessions.session import TensorInfo

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
ERRORS_ONLY = 3
"""onnxruntime's severities: 0 verbose to 4 fatal."""


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """How onnxruntime runs a network."""

    device: str = "cpu"
    """"cpu" or "cuda:0"."""
    threads: int = 1
    """Threads within one operator. Sessions side by side make better use of cores than threads
    within one (on 2 cores two threads took 1.7 times the time of one)."""
    is_arena_enabled: bool = True
    """Keep memory between runs. It is sized by the largest batch and stays so."""
    is_spinning: bool = False
    """Let idle threads spin: a little faster alone, much slower beside other work."""
    provider_options: Mapping[str, str] = field(default_factory=dict)
    """Further options of the device's provider, as onnxruntime names them."""


class OnnxSession:
    """One network in onnxruntime on one device."""

    def __init__(self, model: bytes, options: OnnxOptions) -> None:
        """Raises PackError (a graph the runtime cannot run) and DeviceError."""
        providers = _providers(options)
        try:
            self._session = onnxruntime.InferenceSession(
                model, sess_options=_session_options(options), providers=providers
            )
        except Exception as error:
            # onnxruntime's exceptions have no common base of their own.
            if providers[0][0] == CUDA and "CUDA" in str(error):
                raise DeviceError(f"{options.device} cannot be used: {_line(error)}") from error
            raise PackError(f"onnxruntime cannot run this network: {_line(error)}") from error
        self._device = options.device
        if self.providers[0] != providers[0][0]:
            # onnxruntime goes on with the CPU when CUDA's libraries do not load.
            raise DeviceError(
                f"{options.device} was asked for, but onnxruntime took {self.providers[0]}; "
                "check the NVIDIA driver, CUDA and cuDNN (pip install 'facesearch[gpu]')"
            )
        self._output_names = [value.name for value in self._session.get_outputs()]

    @property
    def inputs(self) -> Sequence[TensorInfo]:
        return [_tensor(value.name, value.shape) for value in self._session.get_inputs()]

    @property
    def outputs(self) -> Sequence[TensorInfo]:
        return [_tensor(value.name, value.shape) for value in self._session.get_outputs()]

    @property
    def runtime(self) -> str:
        return f"onnxruntime {onnxruntime.__version__}"

    @property
    def providers(self) -> Sequence[str]:
        return cast("list[str]", self._session.get_providers())

    @property
    def device(self) -> str:
        return self._device

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        try:
            outputs = self._session.run(self._output_names, dict(feeds))
        except Exception as error:
            # In the caller's terms they are all one: this batch failed, and the session with it.
            raise ModelFault(f"onnxruntime failed: {_line(error)}") from error
        return cast("list[NDArray[np.float32]]", outputs)


class OnnxSessions:
    """Makes sessions of one network; a session that broke is replaced by calling again."""

    def __init__(self, load_model: Callable[[], bytes], options: OnnxOptions) -> None:
        """load_model: reads the network anew each time, so that its bytes need not be held."""
        self._load_model = load_model
        self._options = options

    def __call__(self) -> OnnxSession:
        """Raises PackError and DeviceError."""
        return OnnxSession(self._load_model(), self._options)


def _providers(options: OnnxOptions) -> list[tuple[str, dict[str, str]]]:
    """The execution providers for a device, best first, with their options. Raises DeviceError."""
    kind, _, number = options.device.partition(":")
    match kind:
        case "cpu" if not number:
            return [(CPU, dict(options.provider_options))]
        case "cuda" if number.isdecimal() or not number:
            if CUDA not in onnxruntime.get_available_providers():
                raise DeviceError(
                    f"{options.device} was asked for, but this onnxruntime has no CUDA; "
                    "pip uninstall onnxruntime, then pip install 'facesearch[gpu]'"
                )
            # Exhaustive search would run again for every batch size.
            given = {"device_id": number or "0", "cudnn_conv_algo_search": "HEURISTIC"}
            return [(CUDA, given | dict(options.provider_options)), (CPU, {})]
        case _:
            raise DeviceError(f"unknown device {options.device!r}; use cpu or cuda:0")


def _session_options(options: OnnxOptions) -> onnxruntime.SessionOptions:
    session = onnxruntime.SessionOptions()
    session.intra_op_num_threads = options.threads
    session.inter_op_num_threads = 1
    session.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    session.log_severity_level = ERRORS_ONLY
    session.enable_cpu_mem_arena = options.is_arena_enabled
    # A memory pattern is kept for every shape that was ever seen.
    session.enable_mem_pattern = False
    spinning = "1" if options.is_spinning else "0"
    session.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    session.add_session_config_entry("session.inter_op.allow_spinning", spinning)
    return session


def _tensor(name: str, shape: Sequence[int | str | None]) -> TensorInfo:
    return TensorInfo(name, tuple(size if isinstance(size, int) else None for size in shape))


def _line(error: Exception) -> str:
    """The first line of what a runtime says, without its error codes' tail."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
