"""The networks as ONNX, in the form that the server reads (`inference.models.graphs`)."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from training.detector.network import NUMBERS, Detector
from training.recogniser.network import EMBEDDING, Recogniser
from training.straightener.network import StraightRecogniser

OPSET = 17
CLEAR_AT = 0.33
"""Log-odds that the network gives where the pack says 0.5. With it two of 2,082 LFW images of
people held out show another main face than the teacher's; at 0 some forty show a larger one that
is none."""
FAINT_SLOPE = 0.55
"""Of log-odds below that. Where the pack says 0.3 the network says 0.24: what faces lying down show
at least, and what the server takes for a reason to turn a photo (`LookPolicy.hint_score`)."""
NAMES = ("score", "bbox", "kps")
STRIDE_NAMES = (8, 16, 32)
_EXAMPLE = 160


class _DetectorOutputs(nn.Module):
    """A detector with SCRFD's nine outputs: scores, distances, offsets, each by stride.

    Rows are (n, cells·anchors, numbers), so a batch stays apart: `RowOrder.CONTIGUOUS`.
    """

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        with torch.no_grad():
            # The factor of each stride goes into the weights, and costs nothing any more.
            for head, scale in zip(self.network.heads, self.network.scales, strict=True):
                for output in list(head.outputs)[1:]:  # type: ignore[arg-type]  # a ModuleList
                    output.weight *= scale
                    output.bias *= scale

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, h, w) → nine outputs."""
        by_kind: tuple[list[Tensor], ...] = ([], [], [])
        for score, box, points in self.network.maps(images):
            maps = (_calibrated(score), functional.softplus(box), points)
            for kind, one, numbers in zip(by_kind, maps, NUMBERS, strict=True):
                rows = one.permute(0, 2, 3, 1)
                kind.append(rows.reshape(rows.shape[0], -1, numbers))
        return (*by_kind[0], *by_kind[1], *by_kind[2])


def _calibrated(logits: Tensor) -> Tensor:
    """Scores that mean what SCRFD's do at the limits that the server has for all detectors."""
    return functional.leaky_relu(logits - CLEAR_AT, FAINT_SLOPE).sigmoid()


def detector_model(network: Detector) -> onnx.ModelProto:
    """det.onnx: batch and side are free (a multiple of 32)."""
    names = [f"{kind}_{stride}" for kind in NAMES for stride in STRIDE_NAMES]
    axes = {"input": {0: "batch", 2: "height", 3: "width"}}
    axes |= {name: {0: "batch", 1: "anchors"} for name in names}
    model = _export(_DetectorOutputs(network), torch.zeros(1, 3, _EXAMPLE, _EXAMPLE), names, axes)
    _plain_reshapes(model)
    _declare(model, [(None, None, numbers) for numbers in NUMBERS for _ in STRIDE_NAMES])
    return _checked(model)


def recogniser_model(network: Recogniser | StraightRecogniser) -> onnx.ModelProto:
    """rec.onnx: the batch is free."""
    axes = {"input": {0: "batch"}, "embedding": {0: "batch"}}
    example = torch.zeros(1, 3, 112, 112)
    model = _export(copy.deepcopy(network).eval(), example, ["embedding"], axes)
    _declare(model, [(None, EMBEDDING)])
    return _checked(model)


def _export(
    network: nn.Module, example: Tensor, outputs: list[str], axes: dict[str, dict[int, str]]
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "network.onnx"
        # The tracing exporter is the one that writes plain graphs without a package of its own; it
        # says that it will go, and that sizes it sees are constants (they are: _plain_reshapes).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]  # torch's stub lacks it
            (example,),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            output_names=outputs,
            dynamic_axes=axes,
        )
        return onnx.load_model(str(file))


def _plain_reshapes(model: onnx.ModelProto) -> None:
    """Reshapes to (0, -1, numbers) instead of sizes worked out at run time: 0 keeps the batch."""
    graph = model.graph
    outputs = {
        value.name: numbers
        for value, numbers in zip(
            graph.output, [n for n in NUMBERS for _ in STRIDE_NAMES], strict=True
        )
    }
    producers = {name: node for node in graph.node for name in node.output}
    for name, numbers in outputs.items():
        node = producers[name]
        if node.op_type != "Reshape":
            raise ValueError(f"output {name} ends in {node.op_type}, not in a Reshape")
        shape = np.array([0, -1, numbers], np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, f"{name}_shape"))
        node.input[1] = f"{name}_shape"
    _drop_unused(graph)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and weights that nothing asks for any more."""
    while True:
        used = {name for node in graph.node for name in node.input}
        used |= {value.name for value in graph.output}
        idle = [node for node in graph.node if used.isdisjoint(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    for weight in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(weight)


def _declare(model: onnx.ModelProto, shapes: list[tuple[int | None, ...]]) -> None:
    """Say the shapes of the outputs: the server reads their last dimensions."""
    for value, shape in zip(model.graph.output, shapes, strict=True):
        dimensions = value.type.tensor_type.shape
        names = [one.dim_param for one in dimensions.dim]
        dimensions.ClearField("dim")
        for place, size in enumerate(shape):
            dimension = dimensions.dim.add()
            if size is None:
                dimension.dim_param = names[place] if place < len(names) else f"free_{place}"
            else:
                dimension.dim_value = size


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    model.producer_name = "facesearch training"
    model.doc_string = "for research and evaluation only"
    onnx.checker.check_model(model, full_check=True)
    return model
