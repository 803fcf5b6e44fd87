"""How often and how closely a photo is looked at, and what several looks say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.models.graphs import STRIDES
from inference.pipeline.boxes import suppress
from inference.pipeline.faces import Counting, Detections, FloatArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Look:
    """One pass of the detector over a photo."""

    size: int
    """Pixels a side of the detector's input, a multiple of 32. Small looks find faces that fill the
    frame, large ones find small faces."""

    def __post_init__(self) -> None:
        if self.size < 2 * STRIDES[-1] or self.size % STRIDES[-1]:
            raise ValueError(f"a look of {self.size} pixels; take a multiple of 32 from 64 on")


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """Which looks are taken, when to stop, and how they are merged."""

    looks: tuple[Look, ...] = (Look(160), Look(320), Look(640))
    """In the order they are taken. All of them make a full look."""
    max_iou: float = 0.4
    """Of two detections of different looks; above it they are one face. InsightFace's figure."""
    clear_margin: float = 0.1
    """An early stop needs a counted face whose score is at least this much above the limit."""
    clear_pixels: float = 48.0
    """… and at least so large, in pixels of the finest look taken: below that its landmarks are
    coarse, and a person further back may be too small to be seen at all. For the same reason a look
    that has fewer pixels of a face gives way to one that has more, whatever their scores."""
    contested_from: float = 0.8
    """… and, where the largest of several is wanted, no other that counts of at least this fraction
    of its size: of two nearly equal faces the next look may find the other one larger, and then
    another person is embedded."""

    def __post_init__(self) -> None:
        if not self.looks:
            raise ValueError("a look policy needs at least one look")
        if len(set(self.looks)) != len(self.looks):
            raise ValueError("a look policy takes each look once")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the looks in the order they are taken."""
        return tuple(look.size for look in self.looks)

    def for_fixed_size(self, size: int | None) -> LookPolicy:
        """This policy for a detector that takes one size only; None: it takes any."""
        if size is None:
            return self
        return replace(self, looks=(Look(size),))

    def is_clear(
        self,
        detections: Detections,
        counts: Flags,
        min_score: float,
        scale: float,
        *,
        is_single: bool,
    ) -> bool:
        """Whether a search may stop looking: what these looks show together is good enough.

        counts: (n,), which of the detections count. min_score: the call's score limit. scale: of
        the finest look taken, its pixels per pixel of the photo frame. is_single: a face is wanted
        only if it is the only one that counts, so which of two is the larger does not matter.
        """
        enough = min(min_score + self.clear_margin, 1.0)
        sizes = sizes_of(detections.boxes)
        is_sure = (detections.scores >= enough) & (sizes * scale >= self.clear_pixels)
        if not (is_sure & counts).any():
            return False
        ascending = np.sort(sizes[counts])
        return (
            is_single
            or len(ascending) == 1
            or bool(ascending[-2] < self.contested_from * ascending[-1])
        )

    def merge(
        self, looks: Sequence[Detections], scales: Sequence[float] | None = None
    ) -> Detections:
        """What several looks at one photo show together, best score first.

        scales: of each look, its pixels per pixel of the photo frame. Of a face that several looks
        see, the best score among those with pixels enough of it (`clear_pixels`) stays. None: the
        best score, as InsightFace has it.
        """
        boxes = np.concatenate([look.boxes for look in looks])
        landmarks = np.concatenate([look.landmarks for look in looks])
        scores = np.concatenate([look.scores for look in looks])
        ranks = scores
        if scales is not None:
            of_each = np.repeat(np.asarray(scales, np.float32), [len(look) for look in looks])
            ranks = scores - (sizes_of(boxes) * of_each < self.clear_pixels)
        kept = suppress(boxes, ranks, self.max_iou)
        kept = kept[np.argsort(-scores[kept], kind="stable")]
        return Detections(boxes[kept], landmarks[kept], scores[kept])


def sizes_of(boxes: FloatArray) -> FloatArray:
    """Longer side of each box (n, 4), in pixels: (n,)."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0), dtype=np.float32)


def largest_first(detections: Detections) -> Detections:
    """The same faces, largest box first; of equal ones the better score, then the left one."""
    order = np.lexsort((detections.boxes[:, 0], -detections.scores, -sizes_of(detections.boxes)))
    return Detections(
        detections.boxes[order], detections.landmarks[order], detections.scores[order]
    )


def counted(detections: Detections, width: int, height: int, counting: Counting) -> Flags:
    """Which faces count as people on a photo of width × height pixels: (n,).

    The rule is the contract's Counting. A box without an extent never counts.
    """
    boxes = detections.boxes
    edges = np.array([width, height], dtype=np.float32)
    clipped = np.maximum(np.minimum(boxes[:, 2:], edges) - np.maximum(boxes[:, :2], 0), 0)
    extents = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas = extents[:, 0] * extents[:, 1]
    counts: Flags = (
        (areas > 0)
        & (clipped.max(axis=1, initial=0.0) >= counting.min_face_fraction * max(width, height))
        & (clipped[:, 0] * clipped[:, 1] >= counting.min_inside * areas)
    )
    if not counts.any():
        return counts
    sizes = np.where(counts, sizes_of(boxes), 0)
    is_largest = sizes == sizes.max()
    is_prominent = (sizes >= counting.prominent_fraction * sizes.max()) & (
        detections.scores >= counting.prominent_score
    )
    return np.asarray(counts & (is_prominent | is_largest), dtype=np.bool_)
