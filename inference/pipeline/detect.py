"""Faces on letterboxed images: one session run for a batch, then SCRFD's rows to boxes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from inference.errors import ModelFault, PackError
from inference.models.graphs import ANCHORS_PER_CELL, STRIDES, DetectorGraph, RowOrder
from inference.pipeline.boxes import (
    anchors,
    boxes_from_distances,
    landmarks_from_distances,
    suppress,
)
from inference.pipeline.faces import Detections, FloatArray
from inference.pipeline.letterbox import DetectorInput
from inference.sessions.session import Session, SessionFactory

MAX_IOU = 0.4
"""Of two detections of one look; InsightFace's figure."""
MAX_CANDIDATES = 1000
"""Best anchors of an image that are looked at: with a score limit of 0 all 16,800 pass."""
CHECK_SIZE = 96
"""Pixels a side of the random batch at load: every stride has more than one cell."""
CHECK_BATCH = 3

Heads = tuple[FloatArray, FloatArray, FloatArray]
"""Of one image over all strides: scores (n,), box distances (n, 4), landmark offsets (n, 10), the
distances in input pixels."""


class Detector:
    """A face detector on one session. Holds no state of its own between runs."""

    def __init__(self, graph: DetectorGraph, session: Session, *, batched: bool = False) -> None:
        """A detector; `Detector.load` finds out whether it may run `batched`."""
        self.graph = graph
        self.session = session
        self.batched = batched
        """Whether several images run in one pass."""

    @classmethod
    def load(cls, graph: DetectorGraph, make_session: SessionFactory) -> Detector:
        """A detector that runs batches if a random batch gives what single runs give.

        Raises PackError if the network does not run or does not give SCRFD's rows, and DeviceError.
        """
        size = graph.fixed_size if graph.fixed_size is not None else CHECK_SIZE
        noise = np.random.default_rng(seed=1).integers(
            0, 256, (CHECK_BATCH, size, size, 3), dtype=np.uint8
        )
        inputs = [DetectorInput(pixels, scale=1.0, left=0.0, top=0.0) for pixels in noise]
        try:
            single = cls(graph, make_session())
            expected = [single._heads([one])[0] for one in inputs]
        except (ModelFault, PackError) as error:
            raise PackError(f"{graph.file.name}: {error}") from error
        if graph.row_order is RowOrder.UNKNOWN:
            return single
        batched = cls(graph, single.session, batched=True)
        try:
            found = batched._heads(inputs)
        except ModelFault:
            # The export holds on to one image; a session that raised is not used again.
            return cls(graph, make_session())
        is_equal = all(
            np.allclose(one, other, rtol=1e-3, atol=1e-3)
            for heads, singles in zip(found, expected, strict=True)
            for one, other in zip(heads, singles, strict=True)
        )
        return batched if is_equal else single

    def detect(
        self,
        inputs: Sequence[DetectorInput],
        min_score: float | Sequence[float] = 0.5,
        *,
        bucket: int | None = None,
    ) -> list[Detections]:
        """Faces of each image, best first, in the frame of its photo.

        inputs: of one size. min_score: 0 to 1, one for all or one for each; dropping faces below a
        higher one afterwards gives the same as asking for it. bucket: pad the batch to so many
        images, so that the runtime sees few shapes. Raises ModelFault if the session failed or
        gave NaN; the session must then be thrown away.
        """
        if not inputs:
            return []
        if isinstance(min_score, int | float):
            min_score = [min_score] * len(inputs)
        if self.batched:
            heads = self._heads(inputs, bucket)
        else:
            heads = [self._heads([one])[0] for one in inputs]
        return [
            _detections(one, own, limit)
            for one, own, limit in zip(inputs, heads, min_score, strict=True)
        ]

    def _heads(self, inputs: Sequence[DetectorInput], bucket: int | None = None) -> list[Heads]:
        """The rows of each image after one session run."""
        size, batch = inputs[0].size, max(len(inputs), bucket or 0)
        normalisation = self.graph.normalisation
        blob = np.zeros((batch, 3, size, size), dtype=np.float32)
        for row, one in enumerate(inputs):
            blob[row] = cv2.dnn.blobFromImage(
                one.pixels, 1.0 / normalisation.std, mean=(normalisation.mean,) * 3
            )[0]
        outputs = self.session.run({self.graph.input_name: blob})
        per_stride = [
            split_rows(output, (size // stride) ** 2, batch, self.graph.row_order)
            for output, stride in zip(outputs, STRIDES * 3, strict=True)
        ]
        scores = np.concatenate(per_stride[:3], axis=1)[..., 0]
        if not np.isfinite(scores).all():
            raise ModelFault("the detector gave scores that are not numbers")
        boxes = _in_pixels(per_stride[3:6])
        landmarks = _in_pixels(per_stride[6:9])
        return [(scores[row], boxes[row], landmarks[row]) for row in range(len(inputs))]


def split_rows(rows: FloatArray, cells: int, batch: int, order: RowOrder) -> FloatArray:
    """Detector rows of a batch, per image.

    rows: as a head puts them out, cells·batch·anchors rows of c in `order`, flat or with an axis
    for the image. cells: height·width of the head. Returns (batch, cells·anchors, c). Raises
    ModelFault if the number of rows is not what the size asks for.
    """
    columns = rows.shape[-1]
    if rows.size != cells * batch * ANCHORS_PER_CELL * columns:
        raise ModelFault(
            f"the detector gave {rows.size // max(columns, 1)} rows where "
            f"{cells * batch * ANCHORS_PER_CELL} belong to {batch} images"
        )
    if batch == 1 or order is RowOrder.CONTIGUOUS:
        return rows.reshape(batch, cells * ANCHORS_PER_CELL, columns)
    return (
        rows.reshape(cells, batch, ANCHORS_PER_CELL, columns)
        .transpose(1, 0, 2, 3)
        .reshape(batch, cells * ANCHORS_PER_CELL, columns)
    )


def _in_pixels(per_stride: Sequence[FloatArray]) -> FloatArray:
    """Distances of all strides, from cells to input pixels: (batch, n, c)."""
    return np.concatenate(
        [rows * np.float32(stride) for rows, stride in zip(per_stride, STRIDES, strict=True)],
        axis=1,
    )


def _detections(one: DetectorInput, heads: Heads, min_score: float) -> Detections:
    scores, distances, offsets = heads
    rows = np.flatnonzero(scores >= min_score)
    if rows.size > MAX_CANDIDATES:
        rows = rows[np.argsort(-scores[rows], kind="stable")[:MAX_CANDIDATES]]
    points = np.concatenate([anchors(one.size, stride, ANCHORS_PER_CELL) for stride in STRIDES])
    boxes = one.to_photo(
        boxes_from_distances(points[rows], distances[rows]).reshape(-1, 2, 2)
    ).reshape(-1, 4)
    landmarks = one.to_photo(landmarks_from_distances(points[rows], offsets[rows]))
    if not (np.isfinite(boxes).all() and np.isfinite(landmarks).all()):
        raise ModelFault("the detector gave boxes that are not numbers")
    kept = suppress(boxes, scores[rows], MAX_IOU)
    return Detections(boxes[kept], landmarks[kept], scores[rows][kept])
