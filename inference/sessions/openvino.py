"""Sessions of OpenVINO on a CPU. Importing this file imports OpenVINO."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import structlog
from numpy.typing import NDArray

from inference.errors import ModelFault, PackError
from inference.sessions.choose import Precision
from inference.sessions.kept import KeptFiles
from inference.sessions.quiet_openvino import import_openvino
from inference.sessions.session import TensorInfo

openvino = import_openvino()

DEVICE = "CPU"
VERSION = str(openvino.__version__)
KEPT_FORMAT = "compiled 1"
"""Changes when what is kept under a key means something else."""

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""Of every input by name."""

_log = structlog.get_logger("inference.openvino")


@dataclass(frozen=True, slots=True)
class OpenVinoOptions:
    """How OpenVINO runs a network."""

    precision: Precision = Precision.F32
    threads: int = 1
    """Threads within one session."""
    cpu_identity: str = ""
    """Of `Cpu`: what is compiled on one kind of CPU is not taken on another."""

    @property
    def config(self) -> dict[str, Any]:
        """The properties of a compiled model, as OpenVINO names them."""
        return {
            "INFERENCE_PRECISION_HINT": self.precision.value,
            "INFERENCE_NUM_THREADS": self.threads,
            # With one stream the caller's own thread computes; with more the work changes threads.
            "NUM_STREAMS": 1,
            # Pinned, the threads of two sessions sit on the same core: two callers got 329 images/s
            # where they get 678 (one: 321).
            "ENABLE_CPU_PINNING": False,
        }


class OpenVinoSession:
    """One network in OpenVINO on the CPU, compiled for each shape of input that it meets.

    Fixed shapes run faster than open ones. A session has its own compiled models: two that share
    one with a single stream take turns, and with more streams the work is handed to other threads.

    A batch of several runs in one pass, but no faster than singly (8 crops took 19.9 ms, one
    2.5 ms), and every size would be compiled for itself: callers do better to run items singly.
    """

    def __init__(self, network: Network, options: OpenVinoOptions, kept: KeptFiles | None) -> None:
        """Compiles nothing yet. kept: where compiled models come from and go to; None: nowhere."""
        self._network = network
        self._options = options
        self._kept = kept
        self._requests: dict[Shapes, _Request] = {}

    @property
    def inputs(self) -> Sequence[TensorInfo]:
        """Raises PackError (a graph the runtime cannot read)."""
        return [_tensor(port) for port in self._network.read().inputs]

    @property
    def outputs(self) -> Sequence[TensorInfo]:
        """Raises PackError (a graph the runtime cannot read)."""
        return [_tensor(port) for port in self._network.read().outputs]

    @property
    def runtime(self) -> str:
        return f"openvino {VERSION.partition('-')[0]} {self._options.precision}"

    @property
    def providers(self) -> Sequence[str]:
        return (DEVICE,)

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def shapes(self) -> Sequence[Shapes]:
        """The shapes it is compiled for."""
        return tuple(self._requests)

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """As `Session.run`. Reads the feeds where they lie; the outputs belong to the caller.

        The first run of a shape compiles the network for it: a tenth of a second, or a quarter of
        that where it was kept. A feed that is the same array as in the run before, with what it
        holds now, need not be handed over again.
        """
        shapes = tuple((name, feed.shape) for name, feed in feeds.items())
        try:
            request = self._requests.get(shapes)
            if request is None:
                request = self._requests[shapes] = _Request(self._compiled(shapes))
            return request.run(feeds)
        except Exception as error:
            # In the caller's terms they are all one: this batch failed, and the session with it.
            raise ModelFault(f"openvino failed: {last_line(error)}") from error

    def _compiled(self, shapes: Shapes) -> Any:  # noqa: ANN401 - openvino has no types
        name = self._name(shapes)
        kept = None if self._kept is None else self._kept.read(name)
        if kept is not None:
            try:
                return self._network.core.import_model(kept, DEVICE, self._options.config)
            except Exception as error:  # noqa: BLE001 - openvino raises RuntimeError and others
                _log.warning("compiled_model_refused", file=name, reason=last_line(error))
        model = self._network.read()
        model.reshape(dict(shapes))
        compiled = self._network.core.compile_model(model, DEVICE, self._options.config)
        if self._kept is not None:
            exported = io.BytesIO()
            compiled.export_model(exported)
            self._kept.write(name, exported.getvalue())
        return compiled

    def _name(self, shapes: Shapes) -> str:
        """Of what is kept: another where anything differs that went into compiling it.

        OpenVINO's own cache (CACHE_DIR) needs the network read to look there, writes in place, and
        believes what it reads.
        """
        parts = (KEPT_FORMAT, VERSION, self._options, self._network.digest, shapes)
        return hashlib.sha256(repr(parts).encode()).hexdigest() + ".blob"


class _Request:
    """What a compiled model runs with: inputs that lie elsewhere, outputs of its own.

    OpenVINO's own call with a dict of arrays makes tensors of them every time, and a dict of what
    came out: 0.07 ms beside the network where this takes 0.03 (nine outputs).
    """

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401 - openvino has no types
        self._request = compiled.create_infer_request()
        # Held, for a tensor does not keep the array that it lies in.
        self._handed: dict[str, NDArray[np.float32]] = {}
        # Of fixed shapes, these stay where they are.
        self._outputs: list[NDArray[np.float32]] = [
            self._request.get_output_tensor(number).data for number in range(len(compiled.outputs))
        ]

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        for name, feed in feeds.items():
            if self._handed.get(name) is not feed:
                self._hand_over(name, feed)
        self._request.infer()
        return [output.copy() for output in self._outputs]

    def _hand_over(self, name: str, feed: NDArray[np.float32]) -> None:
        if not (feed.dtype == np.float32 and feed.flags.c_contiguous and feed.flags.writeable):
            feed = np.array(feed, dtype=np.float32, order="C")
        self._request.set_tensor(name, openvino.Tensor(feed, shared_memory=True))
        self._handed[name] = feed


class Network:
    """A network that sessions compile, read whenever one needs it and not held between."""

    def __init__(self, load_model: Callable[[], bytes]) -> None:
        """load_model: the ONNX file's bytes. Raises PackError."""
        self._load_model = load_model
        self.core = openvino.Core()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the network as it is handed to the runtime. Raises PackError."""
        return hashlib.sha256(self._load_model()).hexdigest()

    def read(self) -> Any:  # noqa: ANN401 - openvino has no types
        """A fresh ``openvino.Model``. Raises PackError (a graph the runtime cannot read)."""
        try:
            return self.core.read_model(self._load_model())
        except RuntimeError as error:
            raise PackError(f"openvino cannot run this network: {last_line(error)}") from error


class OpenVinoSessions:
    """Makes sessions of one network; a session that broke is replaced by calling again."""

    def __init__(
        self,
        load_model: Callable[[], bytes],
        options: OpenVinoOptions,
        kept: KeptFiles | None = None,
    ) -> None:
        """load_model: reads the network anew each time, so that its bytes need not be held."""
        self._network = Network(load_model)
        self._options = options
        self._kept = kept

    @property
    def digest(self) -> str:
        """SHA-256 of the network as it is handed to the runtime. Raises PackError."""
        return self._network.digest

    def __call__(self) -> OpenVinoSession:
        return OpenVinoSession(self._network, self._options, self._kept)


def _tensor(port: Any) -> TensorInfo:  # noqa: ANN401 - openvino has no types
    shape = (size.get_length() if size.is_static else None for size in port.get_partial_shape())
    return TensorInfo(cast("str", port.get_any_name()), tuple(shape))


def last_line(error: Exception) -> str:
    """What an error of openvino says; before it stand the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
