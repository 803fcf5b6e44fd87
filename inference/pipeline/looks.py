"""How often, how closely and from where a photo is looked at, and what the looks say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from inference.models.graphs import STRIDES
from inference.pipeline.boxes import suppress
from inference.pipeline.faces import Counting, Detections, FloatArray
from inference.pipeline.tiles import Tile
from inference.pipeline.turns import TURNS, upright

Flags = NDArray[np.bool_]


class TurnedLooks(StrEnum):
    """Which calls look at a photo turned, where as it is it shows no face that stands upright."""

    NEVER = "never"
    FULL = "full"
    """Those that ask for every look."""
    ALWAYS = "always"
    """Searches too."""


@dataclass(frozen=True, slots=True)
class Look:
    """One pass of the detector over a photo."""

    size: int
    """Pixels a side of the detector's input, a multiple of 32. Small looks find faces that fill the
    frame, large ones find small faces."""
    turn: int = 0
    """Degrees clockwise that the photo is turned before: 0, 90, 180 or 270."""
    tile: Tile | None = None
    """The part of the photo that is looked at; None: all of it."""

    def __post_init__(self) -> None:
        if self.size < 2 * STRIDES[-1] or self.size % STRIDES[-1]:
            raise ValueError(f"a look of {self.size} pixels; take a multiple of 32 from 64 on")
        if self.turn not in TURNS:
            raise ValueError(f"a look turned by {self.turn} degrees; take 0, 90, 180 or 270")


CLOSE_LOOK = Look(128)
"""Finds faces that fill the frame beyond its edges, and on other photos faces that are none."""


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
    close: Look | None = None
    """Taken only where the others show nothing."""
    turned: TurnedLooks = TurnedLooks.NEVER
    sure_upright: float = 0.78
    """A face of at least this score that stands upright says that the photo does: what a photo
    turned by 180° shows is below (`inference.pipeline.turns`)."""
    turn_margin: float = 0.05
    """So much better than as it is a photo's best upright face must be after a turn. Right and
    wrong are 0.08 apart or more on 400 LFW photos, by SCRFD 2.5 GF. A pack may name another one:
    how sure a detector is of a face upside down is its own."""
    hint_score: float = 0.3
    """What the photo as it is must show for turned looks, however unlike a face: nearly all faces
    show as much lying down, and most photos without faces are not looked at three times more."""
    tiles: int = 1
    """A full look also looks at so many parts a side, each with the largest look; 1: at none."""

    def __post_init__(self) -> None:
        if not self.looks:
            raise ValueError("a look policy needs at least one look")
        if len(set(self.looks)) != len(self.looks):
            raise ValueError("a look policy takes each look once")
        if any(look.turn or look.tile for look in self.looks):
            raise ValueError("the looks of a policy are at the whole photo, as it is")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the looks in the order they are taken."""
        return tuple(look.size for look in self.looks)

    def for_fixed_size(self, size: int | None) -> LookPolicy:
        """This policy for a detector that takes one size only; None: it takes any."""
        if size is None:
            return self
        return replace(self, looks=(Look(size),), close=None)

    @property
    def shapes(self) -> tuple[int, ...]:
        """Sizes of all inputs that the detector may get."""
        return tuple(dict.fromkeys([*self.sizes, *([self.close.size] if self.close else [])]))

    def with_turn_margin(self, margin: float | None) -> LookPolicy:
        """The same with the margin that a pack names; None: it names none."""
        return self if margin is None else replace(self, turn_margin=margin)

    def looks_turned(self, *, is_early_stop: bool) -> bool:
        """Whether a call that stops early, or one that does not, may look at the photo turned."""
        return self.turned is TurnedLooks.ALWAYS or (
            self.turned is TurnedLooks.FULL and not is_early_stop
        )

    def is_upright(self, faces: Detections) -> bool:
        """Whether the faces of a photo as it is leave no doubt that it stands upright."""
        return bool((upright(faces, 0) & (faces.scores >= self.sure_upright)).any())

    def best_turn(self, by_turn: Mapping[int, Detections], min_score: float) -> int:
        """The turn at which a photo shows its faces upright; in doubt 0.

        by_turn: what it shows at each turn that was looked at, in the photo frame.
        """
        if not any(by_turn):
            return 0
        best = {
            turn: float(faces.scores[upright(faces, turn)].max(initial=0.0))
            for turn, faces in by_turn.items()
        }
        turn = max(sorted(best), key=lambda one: best[one])
        enough = max(best.get(0, 0.0) + self.turn_margin, min_score + self.clear_margin)
        return turn if best[turn] >= min(enough, 1.0) else 0

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
        enough = float(np.float32(min(min_score + self.clear_margin, 1.0)))
        sizes, scores = sizes_of(detections.boxes).tolist(), detections.scores.tolist()
        people = list(compress(zip(sizes, scores, strict=True), counts.tolist()))
        if not any(score >= enough and size * scale >= self.clear_pixels for size, score in people):
            return False
        if is_single or len(people) == 1:
            return True
        (second, _), (largest, _) = sorted(people)[-2:]
        return bool(second < self.contested_from * largest)

    def merge(
        self, looks: Sequence[Detections], scales: Sequence[float] | None = None
    ) -> Detections:
        """What several looks at one photo show together, best score first.

        looks: of a detector, which has left out what means the same face within each. scales: of
        each look, its pixels per pixel of the photo frame. Of a face that several looks see, the
        best score among those with pixels enough of it (`clear_pixels`) stays. None: the best
        score, as InsightFace has it.
        """
        if len(looks) == 1:
            return looks[0]
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
    if len(detections) <= 1:
        return detections
    order = np.lexsort((detections.boxes[:, 0], -detections.scores, -sizes_of(detections.boxes)))
    return Detections(
        detections.boxes[order], detections.landmarks[order], detections.scores[order]
    )


def counted(detections: Detections, width: int, height: int, counting: Counting) -> Flags:
    """Which faces count as people on a photo of width × height pixels: (n,).

    The rule is the contract's Counting. A box without an extent never counts.
    """
    # Numbers of Python's: nearly every photo has a handful of faces.
    smallest = counting.min_face_fraction * max(width, height)
    sizes = [0.0] * len(detections)
    for face, (x1, y1, x2, y2) in enumerate(detections.boxes.tolist()):
        across, down = max(x2 - x1, 0.0), max(y2 - y1, 0.0)
        inside_across = max(min(x2, width) - max(x1, 0.0), 0.0)
        inside_down = max(min(y2, height) - max(y1, 0.0), 0.0)
        area = across * down
        if (
            area > 0
            and max(inside_across, inside_down) >= smallest
            and inside_across * inside_down >= counting.min_inside * area
        ):
            sizes[face] = max(across, down)
    largest = max(sizes, default=0.0)
    prominent_score = float(np.float32(counting.prominent_score))
    counts = [
        size > 0
        and (
            size == largest
            or (size >= counting.prominent_fraction * largest and score >= prominent_score)
        )
        for size, score in zip(sizes, detections.scores.tolist(), strict=True)
    ]
    return np.array(counts, dtype=np.bool_)
