"""Whether a network finds the same in less precision as it does in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import ModelFault
from inference.models.graphs import STRIDES, DetectorGraph, RecogniserGraph
from inference.pipeline.align import align
from inference.pipeline.blob import Blobs
from inference.pipeline.faces import FloatArray, Photo
from inference.precision.sketch import FACES, SIDE, draw, draw_group
from inference.sessions.session import Session, SessionFactory

CHECK = "drawn faces 1"
"""Changes when an earlier verdict is not good any more."""
LOOK_SIZE = 320
MIN_COSINE = 0.998
"""Between embeddings of one face; bf16 gives 0.9995 on average, int8 gave 0.92."""
MAX_SCORE_GAP = 0.02
MIN_IOU = 0.97
FACE_SCORE = 0.5
"""An anchor with so much is a face, and its box is compared."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found."""

    is_close: bool
    measured: str
    """For the log, such as "lowest cosine 0.9997"."""


def check_precision(
    graph: DetectorGraph | RecogniserGraph, exact: SessionFactory, hasty: SessionFactory
) -> Verdict:
    """Compare two ways to run one network on drawn faces. Blocks for half a second or so.

    exact: the network in float32. hasty: in the precision in question. Raises PackError,
    DeviceError and ModelFault if the network does not even run in float32.
    """
    blobs = _group(graph) if isinstance(graph, DetectorGraph) else _crops(graph)
    expected = _runs(exact(), graph, blobs)
    try:
        found = _runs(hasty(), graph, blobs)
    except ModelFault as fault:
        return Verdict(is_close=False, measured=str(fault))
    if isinstance(graph, DetectorGraph):
        return compare_detections(expected[0], found[0])
    return compare_embeddings(
        *(np.concatenate([rows for (rows,) in each]) for each in (expected, found))
    )


def compare_detections(expected: Sequence[FloatArray], found: Sequence[FloatArray]) -> Verdict:
    """Compare the rows that SCRFD gave for one image, anchor by anchor.

    expected, found: nine arrays (…, c): scores by stride, then distances to the edges of boxes,
    then landmarks. Boxes are compared where `expected` has a face. After suppression they could
    not be: of two anchors with nearly the same score either may win.
    """
    gap, lowest = 0.0, 1.0
    for number in range(len(STRIDES)):
        scores = expected[number].reshape(-1)
        gap = max(gap, float(np.abs(scores - found[number].reshape(-1)).max(initial=0)))
        faces = scores >= FACE_SCORE
        one, other = (
            rows[number + len(STRIDES)].reshape(-1, 4)[faces] for rows in (expected, found)
        )
        lowest = min(lowest, float(_iou_on_one_anchor(one, other).min(initial=1)))
    finite = all(bool(np.isfinite(rows).all()) for rows in found)
    return Verdict(
        is_close=finite and gap <= MAX_SCORE_GAP and lowest >= MIN_IOU,
        measured=f"scores within {gap:.4f}, lowest IoU {lowest:.4f}"
        if finite
        else "values that are not numbers",
    )


def compare_embeddings(expected: FloatArray, found: FloatArray) -> Verdict:
    """Compare embeddings (n, dim), of any length, row by row."""
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    cosines = (expected * found).sum(axis=1) / np.maximum(lengths, np.float32(1e-9))
    lowest = float(cosines.min())
    return Verdict(is_close=lowest >= MIN_COSINE, measured=f"lowest cosine {lowest:.4f}")


def _iou_on_one_anchor(one: FloatArray, other: FloatArray) -> FloatArray:
    """IoU of boxes around the same point, both (n, 4): distances to left, top, right, bottom."""
    shared = np.minimum(one, other)
    overlap = _area(shared)
    union = _area(one) + _area(other) - overlap
    return np.asarray(overlap / np.maximum(union, np.float32(1e-9)), dtype=np.float32)


def _area(distances: FloatArray) -> FloatArray:
    width, height = distances[:, 0] + distances[:, 2], distances[:, 1] + distances[:, 3]
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0), dtype=np.float32)


def _group(graph: DetectorGraph) -> list[FloatArray]:
    """Drawn faces as an input tensor of one image."""
    size = graph.fixed_size or LOOK_SIZE
    return [Blobs(graph.normalisation).fill([draw_group(size)], 1)]


def _crops(graph: RecogniserGraph) -> list[FloatArray]:
    """Drawn faces as input tensors of one crop each."""
    return [
        Blobs(graph.normalisation).fill([align(Photo(draw(face), SIDE, SIDE), face.landmarks)], 1)
        for face in FACES
    ]


def _runs(
    session: Session, graph: DetectorGraph | RecogniserGraph, blobs: Sequence[FloatArray]
) -> list[list[FloatArray]]:
    return [session.run({graph.input_name: blob}) for blob in blobs]
