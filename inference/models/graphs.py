"""What a network is, read from its ONNX graph alone: role, shapes, normalisation, row order.

The rules are InsightFace's (``model_zoo.get_model``, ``SCRFD``, ``ArcFaceONNX``), except that
normalisation is recognised by the operators on the input instead of by the names of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from inference.errors import PackError
from inference.models.operators import (
    free_batch,
    graph_inputs,
    has_normalisation_inside,
    head_transpose,
    static_shape,
)

STRIDES = (8, 16, 32)
"""Of SCRFD with nine outputs."""
ANCHORS_PER_CELL = 2
HEAD_WIDTHS = (1, 4, 10)
"""Columns of a score head, a box head and a landmark head."""
RECOGNISER_SIZE = 112
OLDEST_OPSET, NEWEST_OPSET = 7, 26
"""Of ONNX's own operators: what onnxruntime 1.31 loads. OpenVINO loads newer ones too, but a pack
must run on both."""
NEWEST_IR = 13
"""Version of the file format, as well."""


class RowOrder(StrEnum):
    """In which order a head puts out the cells of a batch, outermost first."""

    INTERLEAVED = "row, column, image, anchor"
    """``Transpose(2, 3, 0, 1) → Reshape(-1, c)``: what InsightFace's packs do."""
    CONTIGUOUS = "image, row, column, anchor"
    """``Transpose(0, 2, 3, 1)`` and any reshape: (N·rows, c), or (N, rows, c)."""
    UNKNOWN = "unknown"
    """Neither pattern was found: right for single images only."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What is done to RGB of 0–255 before the network sees it: (x − mean) / std."""

    mean: float
    std: float


INSIDE = Normalisation(mean=0.0, std=1.0)
"""The graph normalises by itself and wants RGB as it is."""
DETECTOR_DEFAULT = Normalisation(mean=127.5, std=128.0)
RECOGNISER_DEFAULT = Normalisation(mean=127.5, std=127.5)


@dataclass(frozen=True, slots=True)
class DetectorGraph:
    """A face detector with SCRFD's output contract: three strides, two anchors, landmarks."""

    file: Path
    input_name: str
    output_names: tuple[str, ...]
    """Nine: scores of the strides 8, 16, 32, then boxes, then landmarks."""
    fixed_size: int | None
    """Pixels a side of the only input it takes; None: any multiple of 32."""
    normalisation: Normalisation
    row_order: RowOrder

    def model(self) -> bytes:
        """The network with a free batch dimension. Raises PackError."""
        return _batchable(self.file)


@dataclass(frozen=True, slots=True)
class RecogniserGraph:
    """A face recogniser: 112×112 crops in, one embedding each out."""

    file: Path
    input_name: str
    output_name: str
    dim: int
    normalisation: Normalisation

    def model(self) -> bytes:
        """The network with a free batch dimension. Raises PackError."""
        return _batchable(self.file)


def read_graph(file: Path) -> DetectorGraph | RecogniserGraph | None:
    """What the network of a file is; None: a task that is not ours (age, 3-D landmarks, …).

    Raises PackError: no ONNX file, damaged, of an opset that does not run here, or a detector whose
    outputs cannot be used here.
    """
    model = _load(file)
    inputs, outputs = graph_inputs(model), list(model.graph.output)
    shape = static_shape(inputs[0]) if len(inputs) == 1 else ()
    if len(shape) != 4 or shape[1] != 3:
        return None
    match len(outputs):
        case 9:
            _check_opset(file, model)
            return _detector(file, model, inputs[0].name, shape[2:])
        case 6 | 10 | 15:
            raise PackError(
                f"{file.name}: a detector with {len(outputs)} outputs; facesearch needs SCRFD with "
                "nine (three strides, landmarks), such as det_10g.onnx of buffalo_l"
            )
        case 1 if shape[2:] == (RECOGNISER_SIZE, RECOGNISER_SIZE):
            _check_opset(file, model)
            return _recogniser(file, model, inputs[0].name)
        case _:
            return None


def _check_opset(file: Path, model: onnx.ModelProto) -> None:
    """Raises PackError. The runtimes name neither the file nor the versions they would take."""
    for opset in model.opset_import:
        is_ours = opset.domain in ("", "ai.onnx")
        if is_ours and not OLDEST_OPSET <= opset.version <= NEWEST_OPSET:
            raise PackError(
                f"{file.name}: opset {opset.version}; export it again with opset {OLDEST_OPSET} to "
                f"{NEWEST_OPSET}"
            )
    if model.ir_version > NEWEST_IR:
        raise PackError(
            f"{file.name}: ONNX format {model.ir_version}; export it again with format {NEWEST_IR} "
            "(ir_version) or older"
        )


def _detector(
    file: Path, model: onnx.ModelProto, input_name: str, size: tuple[int | None, ...]
) -> DetectorGraph:
    height, width = size
    if height != width:
        raise PackError(f"{file.name}: a detector for {width}×{height} only; a square is needed")
    if height is not None and height % STRIDES[-1]:
        raise PackError(f"{file.name}: an input of {height} pixels, no multiple of {STRIDES[-1]}")
    heads = [width for width in HEAD_WIDTHS for _ in STRIDES]
    for value, columns in zip(model.graph.output, heads, strict=True):
        declared = static_shape(value)
        if declared and declared[-1] not in (None, columns):
            raise PackError(
                f"{file.name}: output {value.name} has {declared[-1]} columns where SCRFD has "
                f"{columns} (scores, boxes, landmarks, each by stride)"
            )
    return DetectorGraph(
        file=file,
        input_name=input_name,
        output_names=tuple(value.name for value in model.graph.output),
        fixed_size=height,
        normalisation=INSIDE if has_normalisation_inside(model, input_name) else DETECTOR_DEFAULT,
        row_order=_row_order(model),
    )


def _row_order(model: onnx.ModelProto) -> RowOrder:
    match {head_transpose(model, value.name) for value in model.graph.output}:
        case only if only == {(2, 3, 0, 1)}:
            return RowOrder.INTERLEAVED
        case only if only == {(0, 2, 3, 1)}:
            return RowOrder.CONTIGUOUS
        case _:
            return RowOrder.UNKNOWN


def _recogniser(file: Path, model: onnx.ModelProto, input_name: str) -> RecogniserGraph:
    output = model.graph.output[0]
    shape = static_shape(output)
    if len(shape) != 2 or shape[1] is None:
        raise PackError(
            f"{file.name}: the length of its embeddings is not declared (output {output.name}); "
            "export it again with the shape of its output"
        )
    return RecogniserGraph(
        file=file,
        input_name=input_name,
        output_name=output.name,
        dim=shape[1],
        normalisation=INSIDE if has_normalisation_inside(model, input_name) else RECOGNISER_DEFAULT,
    )


def _batchable(file: Path) -> bytes:
    model = _load(file, with_weights=True)
    free_batch(model)
    return model.SerializeToString()


def _load(file: Path, *, with_weights: bool = False) -> onnx.ModelProto:
    try:
        model = onnx.load_model(str(file), load_external_data=with_weights)
    except FileNotFoundError as error:
        raise PackError(
            f"{file.name}: {error.filename or file} is missing; copy it again"
        ) from error
    except OSError as error:
        raise PackError(f"{file.name}: cannot be read ({error.strerror})") from error
    except (DecodeError, ValueError) as error:
        raise PackError(f"{file.name}: damaged, or no ONNX file; copy or pull it again") from error
    if not model.graph.node or not model.graph.output:
        raise PackError(f"{file.name}: damaged, or no ONNX file; copy or pull it again")
    return model
