"""Where the kernels of a network really ran, read from a profile that onnxruntime recorded.

A session says which providers it *may* use. A network that runs on the CPU because cuDNN is missing
says CUDA all the same; only the kernels tell.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import DeviceError

HEAVY = frozenset(
    {
        "BatchNormalization",
        "Conv",
        "ConvTranspose",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "Gemm",
        "GridSample",
        "MatMul",
        "NhwcConv",
        "NhwcFusedConv",
        "PRelu",
        "QLinearConv",
        "QLinearMatMul",
    }
)
"""Operators that compute. Shape, Gather, Concat and the like work out shapes, on the CPU."""
MAX_BYTES_ELSEWHERE = 0.01
"""Part of all results, in bytes, that other devices may have made: shapes and scalars are far less,
one layer of activations is more."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One operator of one run."""

    operator: str
    provider: str
    output_bytes: int


def read_profile(file: Path) -> tuple[Kernel, ...]:
    """The kernels of a profile, in the order they ran.

    file: what ``InferenceSession.end_profiling`` wrote. Raises DeviceError if it cannot be read.
    """
    try:
        events = json.loads(file.read_bytes())
        return tuple(
            Kernel(
                operator=str(event["args"]["op_name"]),
                provider=str(event["args"]["provider"]),
                output_bytes=int(event["args"].get("output_size", 0)),
            )
            for event in events
            if event.get("cat") == "Node" and "provider" in event.get("args", {})
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DeviceError(f"the profile of the warm-up cannot be read: {error!r}") from error


def require_on(provider: str, device: str, kernels: Sequence[Kernel]) -> None:
    """Refuse a run that computed anywhere else than asked.

    provider: onnxruntime's name of what was asked for. device: for the message.

    Raises DeviceError: an operator that computes ran elsewhere, or so much of the results was made
    elsewhere that it cannot be shapes only, or nothing ran at all.
    """
    if not any(kernel.provider == provider for kernel in kernels):
        raise DeviceError(
            f"{device} was asked for, but no kernel ran on {provider}{_list(kernels)}; {_CHECK}"
        )
    elsewhere = [kernel for kernel in kernels if kernel.provider != provider]
    heavy = [kernel for kernel in elsewhere if kernel.operator in HEAVY]
    if heavy:
        raise DeviceError(
            f"{device} was asked for, but {len(heavy)} of {len(kernels)} kernels computed "
            f"elsewhere than on {provider}{_list(heavy)}; {_CHECK}"
        )
    made_elsewhere = sum(kernel.output_bytes for kernel in elsewhere)
    if made_elsewhere > MAX_BYTES_ELSEWHERE * sum(kernel.output_bytes for kernel in kernels):
        raise DeviceError(
            f"{device} was asked for, but {made_elsewhere} bytes of results were made elsewhere "
            f"than on {provider}{_list(elsewhere)}; {_CHECK}"
        )


_CHECK = "check the NVIDIA driver, CUDA 13 and cuDNN 9 (docs/gpu.md)"


def _list(kernels: Sequence[Kernel]) -> str:
    """Such as ": 51 Conv and 1 Gemm on CPUExecutionProvider", the three most frequent."""
    if not kernels:
        return ""
    counted = Counter((kernel.operator, kernel.provider) for kernel in kernels).most_common(3)
    return ": " + ", ".join(
        f"{count} {operator} on {provider}" for (operator, provider), count in counted
    )
