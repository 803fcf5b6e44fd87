"""Small ONNX graphs with the outer shape of real packs: what inspection has to tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
WIDTH_OF_ONE = 96
"""Pixels across of the only images that a detector with `batch_of_one` takes."""
Rows = Literal["interleaved", "contiguous", "per_image", "batch_of_one"]


@dataclass
class _Graph:
    """A graph under construction."""

    nodes: list[onnx.NodeProto]
    weights: list[onnx.TensorProto]

    def constant(self, name: str, values: object, dtype: type = np.float32) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def detector(
    file: Path,
    *,
    rows: Rows = "interleaved",
    size: int | None = None,
    heads: Sequence[int] = (1, 4, 10),
    strides: Sequence[int] = STRIDES,
    normalises: bool = False,
    height: int | None = None,
) -> Path:
    """A detector of random weights with SCRFD's inputs and outputs; returns its file."""
    graph = _Graph([], [])
    generator = np.random.default_rng(0)
    source = _normalised(graph, "image") if normalises else "image"
    if rows == "batch_of_one":
        # A batch becomes one tall image: the run goes well, and its answer is wrong.
        one = graph.constant("one_image", [1, 3, -1, WIDTH_OF_ONE], np.int64)
        source = graph.node("Reshape", [source, one], "one_image_only")
    outputs = []
    for columns in heads:
        for stride in strides:
            name = f"head{columns}_{stride}"
            pooled = graph.node(
                "AveragePool",
                [source],
                f"{name}_pooled",
                kernel_shape=[stride, stride],
                strides=[stride, stride],
            )
            weights = graph.constant(
                f"{name}_weights", generator.normal(0, 0.02, (2 * columns, 3, 1, 1))
            )
            maps = graph.node("Conv", [pooled, weights], f"{name}_maps")
            perm = [2, 3, 0, 1] if rows in ("interleaved", "batch_of_one") else [0, 2, 3, 1]
            turned = graph.node("Transpose", [maps], f"{name}_turned", perm=perm)
            shape = [0, -1, columns] if rows == "per_image" else [-1, columns]
            target = graph.constant(f"{name}_shape", shape, np.int64)
            last = name if columns != 1 else f"{name}_logits"
            graph.node("Reshape", [turned, target], last)
            if columns == 1:
                graph.node("Sigmoid", [last], name)
            declared = [1, None, columns] if len(shape) == 3 else [None, columns]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, declared))
    _save(file, graph, outputs, [1, 3, height if height is not None else size, size])
    return file


def recogniser(
    file: Path,
    *,
    dim: int | None = 16,
    normalises: bool = False,
    batch: int | None = None,
    holds_batch_of_one: bool = False,
    size: int = 112,
    prefix: Sequence[str] = (),
) -> Path:
    """A recogniser of random weights; returns its file.

    prefix: operators on the input, each with one constant, before everything else.
    """
    graph = _Graph([], [])
    source = _normalised(graph, "image") if normalises else "image"
    for number, kind in enumerate(prefix):
        constant = graph.constant(f"prefix{number}_constant", 0.5)
        source = graph.node(kind, [source, constant], f"prefix{number}")
    pooled = graph.node("AveragePool", [source], "pooled", kernel_shape=[56, 56], strides=[56, 56])
    shape = graph.constant(
        "flat", [1 if holds_batch_of_one else -1, 3 * (size // 56) ** 2], np.int64
    )
    flat = graph.node("Reshape", [pooled, shape], "flattened")
    weights = np.random.default_rng(1).normal(0, 0.1, (3 * (size // 56) ** 2, dim or 16))
    graph.node("MatMul", [flat, graph.constant("weights", weights)], "embedding")
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, dim])
    _save(file, graph, [output], [batch, 3, size, size])
    return file


def other_task(file: Path, *, size: int) -> Path:
    """A network of another task, such as InsightFace's genderage (96) or landmarks (192)."""
    return recogniser(file, size=size)


def exported_with(file: Path, *, opset: int | None = None, ir_version: int | None = None) -> None:
    """Let the network in a file say that it is of another version."""
    model = onnx.load_model(str(file))
    if opset is not None:
        model.opset_import[0].version = opset
    if ir_version is not None:
        model.ir_version = ir_version
    onnx.save_model(model, str(file))


def _normalised(graph: _Graph, source: str) -> str:
    centred = graph.node("Sub", [source, graph.constant("mean", 127.5)], "centred")
    return graph.node("Mul", [centred, graph.constant("scale", 1 / 127.5)], "normalised")


def _save(
    file: Path,
    graph: _Graph,
    outputs: Sequence[onnx.ValueInfoProto],
    shape: Sequence[int | None],
) -> None:
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))
    made = helper.make_graph(graph.nodes, "test", [source], list(outputs), graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(model, str(file))
