"""Questions about ONNX graphs: inputs, shapes, the operators beside an input or an output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

POINTWISE = frozenset({"Sigmoid", "Identity", "Cast", "Clip"})
SHIFTS = frozenset({"Sub", "Add"})
SCALES = frozenset({"Mul", "Div"})
RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
LONGEST_NORMALISATION = 4
"""Operators; more than Cast, Sub, Mul and one to spare is no normalisation any more."""


def graph_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs that a caller feeds: old exports list their weights as inputs too."""
    weights = {weight.name for weight in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def static_shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """Declared dimensions, None where one is free; () where nothing is declared."""
    return tuple(
        dimension.dim_value if dimension.dim_value > 0 else None
        for dimension in value.type.tensor_type.shape.dim
    )


def has_normalisation_inside(model: onnx.ModelProto, input_name: str) -> bool:
    """Whether the first operators on the input subtract a constant and scale by one."""
    kinds: set[str] = set()
    constants = _constants(model)
    name = input_name
    for _ in range(LONGEST_NORMALISATION):
        consumers = [node for node in model.graph.node if name in node.input]
        if len(consumers) != 1:
            break
        node = consumers[0]
        others = [other for other in node.input if other != name]
        if node.op_type in SHIFTS | SCALES and all(other in constants for other in others):
            kinds.add("shift" if node.op_type in SHIFTS else "scale")
        elif node.op_type not in POINTWISE:
            break
        name = node.output[0]
    return kinds == {"shift", "scale"}


def head_transpose(model: onnx.ModelProto, output_name: str) -> tuple[int, ...] | None:
    """Permutation of the Transpose that ends a head, seen through reshapes and activations."""
    for node in _upwards(model, output_name):
        if node.op_type == "Transpose":
            return next(
                (tuple(attribute.ints) for attribute in node.attribute if attribute.name == "perm"),
                None,
            )
        if node.op_type not in POINTWISE | RESHAPES:
            return None
    return None


def free_batch(model: onnx.ModelProto) -> None:
    """Make the first dimension of every input free, in place.

    Declared shapes of outputs and of inner values go: they still say one image, and the runtime
    would warn of every batch that contradicts them.
    """
    for value in graph_inputs(model):
        first = value.type.tensor_type.shape.dim[0]
        first.Clear()
        first.dim_param = "batch"
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


def _constants(model: onnx.ModelProto) -> set[str]:
    weights = {weight.name for weight in model.graph.initializer}
    return weights | {node.output[0] for node in model.graph.node if node.op_type == "Constant"}


def _upwards(model: onnx.ModelProto, output_name: str) -> Iterator[onnx.NodeProto]:
    """The nodes above an output, following the first input of each."""
    producers = {name: node for node in model.graph.node for name in node.output}
    name: str | None = output_name
    while name is not None and name in producers:
        node = producers[name]
        yield node
        name = _first(node.input)


def _first(names: Sequence[str]) -> str | None:
    return names[0] if names else None
