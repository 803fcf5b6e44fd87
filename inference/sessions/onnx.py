"""Sessions of onnxruntime, on a CPU or an NVIDIA GPU."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

# onnxruntime reads it while it is imported: a photo service does not report to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as native

from inference.errors import DeviceError, ModelFault, PackError
from inference.models.operators import graph_inputs, static_shape
from inference.sessions.binding import BoundInputs
from inference.sessions.gpu import (
    CPU,
    GpuOptions,
    GpuProvider,
    Providers,
    gpu_providers,
    smallest_shape,
)
from inference.sessions.half import to_half
from inference.sessions.placement import read_profile, require_on
from inference.sessions.session import TensorInfo

ERRORS_ONLY = 3
"""onnxruntime's severities: 0 verbose to 4 fatal."""
_SOURCE = re.compile(r"^/\S+\.\w+:\d+ .*?\) ")
"""Such as "/onnxruntime_src/…/state.cc:729 void onnxruntime::f(int&) "."""
_BAD_NETWORK = (native.InvalidGraph, native.InvalidProtobuf, native.NotImplemented)


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
    gpu: GpuOptions = field(default_factory=GpuOptions)
    """Looked at on a GPU only."""

    @property
    def gpu_number(self) -> int | None:
        """Which GPU; None: the CPU. Raises DeviceError if there is no such kind of device."""
        kind, _, number = self.device.partition(":")
        match kind:
            case "cpu" if not number:
                return None
            case "cuda" if number.isdecimal() or not number:
                return int(number or 0)
            case _:
                raise DeviceError(f"unknown device {self.device!r}; use cpu or cuda:0")


class OnnxSession:
    """One network in onnxruntime on one device."""

    def __init__(self, model: bytes, options: OnnxOptions) -> None:
        """On a GPU it has run once and was seen to compute there.

        Raises PackError (a graph the runtime cannot run) and DeviceError (a device that is not
        there, or kernels that ran elsewhere).
        """
        self._device = options.device
        self._bound: BoundInputs | None = None
        if options.gpu_number is None:
            self._session = _make(model, options, [(CPU, dict(options.provider_options))])
            self._output_names = [value.name for value in self._session.get_outputs()]
        else:
            self._start_on_gpu(model, options, options.gpu_number)

    def _start_on_gpu(self, model: bytes, options: OnnxOptions, number: int) -> None:
        wanted = options.gpu.provider.execution_provider
        if wanted not in onnxruntime.get_available_providers():
            raise DeviceError(
                f"{options.device} was asked for, but this onnxruntime has no CUDA; "
                "pip uninstall onnxruntime, then pip install 'facesearch[gpu]'"
            )
        # CUDA and cuDNN come as Python packages, where the system's loader does not look.
        onnxruntime.preload_dlls()
        if options.gpu.is_half and options.gpu.provider is GpuProvider.CUDA:
            model = to_half(model)
        best, *others = gpu_providers(number, options.gpu, _inputs_of(model))
        providers = [(best[0], best[1] | dict(options.provider_options)), *others]
        with tempfile.TemporaryDirectory(prefix="facesearch-") as folder:
            profile = Path(folder) / "warm_up"
            self._session = _make(model, options, providers, profile)
            self._output_names = [value.name for value in self._session.get_outputs()]
            if self.providers[0] != wanted:
                # onnxruntime goes on with the CPU when CUDA's libraries do not load.
                raise DeviceError(
                    f"{options.device} was asked for, but onnxruntime took {self.providers[0]} "
                    f"instead of {wanted}; check the NVIDIA driver, CUDA and cuDNN "
                    "(pip install 'facesearch[gpu]', docs/gpu.md)"
                )
            self._bound = BoundInputs(self._session, "cuda", number)
            try:
                self.run(
                    {
                        value.name: np.zeros(smallest_shape(value, options.gpu), dtype=np.float32)
                        for value in self.inputs
                    }
                )
            except ModelFault as error:
                raise DeviceError(f"{options.device} cannot run this network: {error}") from error
            kernels = read_profile(Path(self._session.end_profiling()))
        require_on(wanted, options.device, kernels)

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
            if self._bound is not None:
                return self._bound.run(feeds)
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


def _make(
    model: bytes, options: OnnxOptions, providers: Providers, profile: Path | None = None
) -> onnxruntime.InferenceSession:
    """profile: record what runs from the start, until `end_profiling`, in a file of such a name."""
    session_options = _session_options(options)
    if profile is not None:
        session_options.enable_profiling = True
        session_options.profile_file_prefix = str(profile)
    try:
        session = onnxruntime.InferenceSession(
            model,
            sess_options=session_options,
            providers=providers,
            # It would print a banner and go on with the CPU.
            enable_fallback=0,
        )
    except _BAD_NETWORK as error:
        raise PackError(f"onnxruntime cannot run this network: {_line(error)}") from error
    except Exception as error:
        # onnxruntime's exceptions have no common base of their own.
        if providers[0][0] == CPU:
            raise PackError(f"onnxruntime cannot run this network: {_line(error)}") from error
        raise DeviceError(f"{options.device} cannot be used: {_line(error)}") from error
    # It holds the bytes as long as it lives, for a change of providers that never comes: 174 MB a
    # session of a ResNet-50 recogniser.
    session._model_bytes = None  # noqa: SLF001
    return session


def _inputs_of(model: bytes) -> list[TensorInfo]:
    """The inputs of a network that no session has read yet. Raises PackError."""
    try:
        network = onnx.load_model_from_string(model)
    except (DecodeError, ValueError) as error:
        raise PackError("onnxruntime cannot run this network: no ONNX file") from error
    return [TensorInfo(value.name, static_shape(value)) for value in graph_inputs(network)]


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
    """The first line of what a runtime says, without the place in its source."""
    lines = str(error).strip().splitlines()
    return _SOURCE.sub("", lines[0]) if lines else type(error).__name__
