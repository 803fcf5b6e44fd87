"""Faces on letterboxed images: one session run for a batch, then SCRFD's rows to boxes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import ModelFault, PackError
from inference.models.graphs import ANCHORS_PER_CELL, STRIDES, DetectorGraph, RowOrder
from inference.pipeline.blob import Blobs
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


@dataclass(frozen=True, slots=True)
class Head:
    """The rows of one stride for one image, as the network gave them: in cells of the stride."""

    stride: int
    scores: FloatArray
    """(cells, anchors)."""
    distances: FloatArray
    """(cells, anchors, 4): from the anchor to the edges of the box."""
    offsets: FloatArray
    """(cells, anchors, 10): from the anchor to the landmarks."""


class Detector:
    """A face detector on one session. Owned by one thread at a time, as its session is."""

    def __init__(
        self,
        graph: DetectorGraph,
        session: Session,
        *,
        batched: bool = False,
        exact: Session | None = None,
    ) -> None:
        """A detector; `Detector.load` finds out whether it may run `batched`.

        exact: the same network in float32, where `session` has less; None: nobody is to ask it.
        """
        self.graph = graph
        self.session = session
        self.batched = batched
        """Whether several images run in one pass."""
        self.exact = None if exact is None else Detector(graph, exact)
        """Who is asked again about faces that this one is not sure of (`Walk.doubted`)."""
        self._blobs = Blobs(graph.normalisation)

    @classmethod
    def load(
        cls,
        graph: DetectorGraph,
        make_session: SessionFactory,
        *,
        may_batch: bool = True,
        make_exact: SessionFactory | None = None,
    ) -> Detector:
        """A detector that runs batches if a random batch gives what single runs give.

        may_batch: whether batches are of use; if not, images run singly whatever the network can.
        make_exact: makes sessions in float32, where those of `make_session` have less.
        Raises PackError if the network does not run or does not give SCRFD's rows, and DeviceError.
        """
        size = graph.fixed_size if graph.fixed_size is not None else CHECK_SIZE
        noise = np.random.default_rng(seed=1).integers(
            0, 256, (CHECK_BATCH, size, size, 3), dtype=np.uint8
        )
        inputs = [DetectorInput(pixels, scale=1.0, left=0.0, top=0.0) for pixels in noise]
        exact = None if make_exact is None else make_exact()
        try:
            single = cls(graph, make_session(), exact=exact)
            expected = [single._heads([one])[0] for one in inputs]
        except (ModelFault, PackError) as error:
            raise PackError(f"{graph.file.name}: {error}") from error
        if graph.row_order is RowOrder.UNKNOWN or not may_batch:
            return single
        batched = cls(graph, single.session, batched=True, exact=exact)
        try:
            found = batched._heads(inputs)
        except ModelFault:
            # The export holds on to one image; a session that raised is not used again.
            return cls(graph, make_session(), exact=exact)
        is_equal = all(
            _are_close(one, other)
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

    def _heads(
        self, inputs: Sequence[DetectorInput], bucket: int | None = None
    ) -> list[list[Head]]:
        """The heads of each image after one session run."""
        size, batch = inputs[0].size, max(len(inputs), bucket or 0)
        blob = self._blobs.fill([one.pixels for one in inputs], batch)
        outputs = self.session.run({self.graph.input_name: blob})
        scores, distances, offsets = (
            [
                split_rows(output, (size // stride) ** 2, batch, self.graph.row_order)
                for output, stride in zip(
                    outputs[first : first + len(STRIDES)], STRIDES, strict=True
                )
            ]
            for first in range(0, 3 * len(STRIDES), len(STRIDES))
        )
        if not all(np.isfinite(rows).all() for rows in scores):
            raise ModelFault("the detector gave scores that are not numbers")
        return [
            [
                Head(stride, scores[n][row, ..., 0], distances[n][row], offsets[n][row])
                for n, stride in enumerate(STRIDES)
            ]
            for row in range(len(inputs))
        ]


def split_rows(rows: FloatArray, cells: int, batch: int, order: RowOrder) -> FloatArray:
    """Detector rows of a batch, per image, without copying them.

    rows: as a head puts them out, cells·batch·anchors rows of c in `order`, flat or with an axis
    for the image. cells: height·width of the head. Returns (batch, cells, anchors, c). Raises
    ModelFault if the number of rows is not what the size asks for.
    """
    columns = rows.shape[-1]
    if rows.size != cells * batch * ANCHORS_PER_CELL * columns:
        raise ModelFault(
            f"the detector gave {rows.size // max(columns, 1)} rows where "
            f"{cells * batch * ANCHORS_PER_CELL} belong to {batch} images"
        )
    if batch == 1 or order is RowOrder.CONTIGUOUS:
        return rows.reshape(batch, cells, ANCHORS_PER_CELL, columns)
    return rows.reshape(cells, batch, ANCHORS_PER_CELL, columns).transpose(1, 0, 2, 3)


def _are_close(one: Head, other: Head) -> bool:
    return all(
        np.allclose(mine, its, rtol=1e-3, atol=1e-3)
        for mine, its in (
            (one.scores, other.scores),
            (one.distances, other.distances),
            (one.offsets, other.offsets),
        )
    )


def _detections(one: DetectorInput, heads: Sequence[Head], min_score: float) -> Detections:
    scores = np.concatenate([head.scores.reshape(-1) for head in heads])
    rows = np.flatnonzero(scores >= min_score)
    if rows.size > MAX_CANDIDATES:
        rows = np.sort(rows[np.argsort(-scores[rows], kind="stable")[:MAX_CANDIDATES]])
    # Only the rows that pass are turned into pixels: a handful of up to 16,800.
    boxes, landmarks = _in_pixels(one.size, heads, rows)
    boxes = one.boxes_to_photo(boxes)
    landmarks = one.to_photo(landmarks)
    if not (np.isfinite(boxes).all() and np.isfinite(landmarks).all()):
        raise ModelFault("the detector gave boxes that are not numbers")
    chosen = scores[rows]
    kept = suppress(boxes, chosen, MAX_IOU)
    return Detections(boxes[kept], landmarks[kept], chosen[kept])


def _in_pixels(
    size: int, heads: Sequence[Head], rows: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Boxes (n, 4) and landmarks (n, 5, 2) in input pixels of ascending rows over all heads."""
    distances = np.empty((rows.size, 4), dtype=np.float32)
    offsets = np.empty((rows.size, 10), dtype=np.float32)
    points = np.empty((rows.size, 2), dtype=np.float32)
    ascending = rows.tolist()
    first = done = 0
    for head in heads:
        after = first + head.scores.size
        end = bisect_left(ascending, after)
        if end > done:
            here = rows[done:end] - first
            at = np.divmod(here, ANCHORS_PER_CELL)
            pixels = np.float32(head.stride)
            np.multiply(head.distances[at], pixels, out=distances[done:end])
            np.multiply(head.offsets[at], pixels, out=offsets[done:end])
            points[done:end] = anchors(size, head.stride, ANCHORS_PER_CELL)[here]
        first, done = after, end
    return boxes_from_distances(points, distances), landmarks_from_distances(points, offsets)
