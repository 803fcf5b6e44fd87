"""From settings to what a pack is run with: sessions, their runtime and precision, the looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from inference.errors import ModelFault, PackError, StartError
from inference.models.graphs import DetectorGraph, RecogniserGraph
from inference.models.pack import Pack
from inference.pipeline.looks import LookPolicy
from inference.precision.settle import settle
from inference.sessions.choose import (
    AUTO,
    Precision,
    Runtime,
    choose_precision,
    choose_runtime,
    is_openvino_installed,
)
from inference.sessions.cpu import Cpu, read_cpu
from inference.sessions.kept import KeptFiles
from inference.sessions.session import SessionFactory
from inference.settings import Settings


@dataclass(frozen=True, slots=True)
class PackSessions:
    """What makes the sessions of a pack."""

    detector: SessionFactory
    recogniser: SessionFactory
    may_batch: bool
    """Whether several items in one run are of use."""
    exact_detector: SessionFactory | None = None
    """In float32, where `detector` has less by this program's choice: it is asked about faces that
    `detector` is not sure of."""


OpenSessions = Callable[[Pack, Settings], PackSessions]
"""`open_sessions`, or what stands in for it."""


def looks_of(pack: Pack, settings: Settings) -> LookPolicy:
    """How photos are looked at with a pack: by the settings, and by what its detector wants."""
    policy = settings.look_policy.with_turn_margin(pack.turn_margin)
    return policy.for_fixed_size(pack.detector_graph.fixed_size)


def open_sessions(pack: Pack, settings: Settings) -> PackSessions:
    """The sessions of a pack, by the settings. Imports the runtime that is chosen, and no other.

    Blocks: at the first start with bf16, and at every start with fp16, for a second, while it is
    compared with float32.

    Raises:
        StartError: a runtime or a precision that cannot be had here, or a network that does not
            run.
    """
    cpu = read_cpu()
    runtime = choose_runtime(
        settings.runtime,
        device=settings.device,
        is_openvino_installed=is_openvino_installed(),
        cpu=cpu,
    )
    if settings.is_gpu:
        return _on_gpu(pack, settings)
    precision = choose_precision(settings.precision, runtime=runtime, cpu=cpu)
    match runtime:
        case Runtime.OPENVINO:
            return _openvino(pack, settings, precision, cpu)
        case Runtime.ONNXRUNTIME:
            return _onnxruntime(pack, settings)


def _onnxruntime(pack: Pack, settings: Settings) -> PackSessions:
    from inference.sessions.onnx import OnnxOptions, OnnxSessions  # noqa: PLC0415  # only if chosen

    options = OnnxOptions(device=settings.device, threads=settings.threads)
    return PackSessions(
        detector=OnnxSessions(pack.detector_graph.model, options),
        recogniser=OnnxSessions(pack.recogniser_graph.model, options),
        may_batch=True,
    )


def _on_gpu(pack: Pack, settings: Settings) -> PackSessions:
    from inference.on_gpu import (  # noqa: PLC0415  # only if chosen
        detector_on_gpu,
        recogniser_on_gpu,
    )

    lock = Lock()
    return PackSessions(
        detector=detector_on_gpu(pack, settings, lock),
        recogniser=recogniser_on_gpu(pack, settings, lock),
        may_batch=True,
    )


def _openvino(pack: Pack, settings: Settings, precision: Precision, cpu: Cpu) -> PackSessions:
    try:
        from inference.sessions.openvino import (  # noqa: PLC0415  # only if chosen
            VERSION,
            OpenVinoOptions,
            OpenVinoSessions,
        )
    except ImportError as error:
        raise StartError(
            f"OpenVINO is installed, but cannot be imported ({error}); "
            "set INFERENCE_RUNTIME=onnxruntime"
        ) from error
    folder = settings.cache_folder
    kept = None if folder is None else KeptFiles(folder / "openvino")

    def sessions(
        graph: DetectorGraph | RecogniserGraph,
    ) -> tuple[OpenVinoSessions, SessionFactory]:
        """In float32, and as the settings want it."""
        exact, hasty = (
            OpenVinoSessions(
                graph.model, OpenVinoOptions(each, settings.threads, cpu.identity), kept
            )
            for each in (Precision.F32, precision)
        )
        if precision is Precision.F32:
            return exact, exact
        if settings.precision != AUTO:
            return exact, hasty
        about = (exact.digest, VERSION, cpu.identity, precision.value)
        try:
            return exact, settle(
                graph, exact, hasty, precision=precision.value, about=about, kept=kept
            )
        except ModelFault as fault:
            raise PackError(f"{graph.file.name}: {fault}") from fault

    exact_detector, detector = sessions(pack.detector_graph)
    is_chosen = settings.precision == AUTO and detector is not exact_detector
    return PackSessions(
        detector=detector,
        recogniser=sessions(pack.recogniser_graph)[1],
        may_batch=False,
        exact_detector=exact_detector if is_chosen else None,
    )
