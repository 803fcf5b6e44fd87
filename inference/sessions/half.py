"""A network with float16 weights and activations, for GPUs."""

from __future__ import annotations

from typing import cast

import onnx
from google.protobuf.message import DecodeError

from inference.errors import PackError

SCALES = 2
"""Which input of Resize are its scales: float32 whatever it resizes."""


def to_half(model: bytes) -> bytes:
    """The same network computing in float16; its inputs and outputs stay float32.

    model: ONNX, float32. Weights nearer to 0 than 6e-8 become that, weights beyond ±65,504 that:
    what float16 costs in accuracy must be measured on the result.

    Raises PackError: no ONNX file, or an operator that cannot be converted.
    """
    # Importing it puts a folder of onnxruntime's on sys.path: only where it is needed.
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415

    try:
        network = onnx.load_model_from_string(model)
        _own_scales(network.graph)
        half = cast("onnx.ModelProto", convert_float_to_float16(network, keep_io_types=True))
    except (DecodeError, ValueError, AssertionError, RuntimeError) as error:
        raise PackError(f"this network cannot be converted to float16: {error!r}") from error
    return half.SerializeToString()


def _own_scales(graph: onnx.GraphProto) -> None:
    """Give every Resize its own scales.

    SCRFD's share one empty tensor among them, as region too; the converter of onnxruntime 1.31 then
    makes two nodes of one name, which is an invalid graph.
    """
    weights = {weight.name: weight for weight in graph.initializer}
    for number, node in enumerate(graph.node):
        if node.op_type != "Resize" or len(node.input) <= SCALES:
            continue
        shared = weights.get(node.input[SCALES])
        if shared is not None:
            own = graph.initializer.add()
            own.CopyFrom(shared)
            own.name = node.input[SCALES] = f"{shared.name}_scales_{number}"
