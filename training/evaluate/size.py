"""How large a network is: bytes of its file, numbers in its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """One ONNX file."""

    file: str
    bytes: int
    parameters: int
    """Numbers in its weights, what export folded in counted as folded."""


def network_size(file: Path) -> NetworkSize:
    """The size of a network. Shapes and the like (whole numbers) are no parameters."""
    weights = onnx.load_model(str(file)).graph.initializer
    whole = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    return NetworkSize(
        file=file.name,
        bytes=file.stat().st_size,
        parameters=sum(math.prod(one.dims) for one in weights if one.data_type not in whole),
    )
