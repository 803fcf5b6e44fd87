"""What is decided on the way of one photo through the stages; the stages themselves run elsewhere.

Rounds of looks → what they show → crops and quality → which faces are embedded → the answer. Behind
queues that many calls share this is `analyze`; for one photo at a time it is a plain loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.pipeline.faces import (
    Analysis,
    AnalyzedFace,
    AnalyzeOptions,
    Detections,
    EmbedMode,
    FloatArray,
    Pixels,
    Quality,
    Region,
    StageSeconds,
)
from inference.pipeline.letterbox import DetectorInput
from inference.pipeline.looks import Flags, LookPolicy, counted, largest_first
from inference.pipeline.picture import Detail, Picture
from inference.pipeline.quality import assess

SELFIE_FACE = 1 / 6
"""Of the longer side. Whoever searches shows one large face: hardly a selfie needs a second
decode."""
SMALLEST_LIKELY_FACE = 1 / 12
"""Of the longer side. Whoever asks for every face expects small ones."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the looks at one photo show together."""

    faces: Detections
    """Largest first, in the photo frame."""
    counts: Flags
    """(n,): which of them count as people."""
    is_clear: bool
    """Whether a search may stop looking here."""

    @property
    def faces_counted(self) -> int:
        """How many faces count."""
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class Judged:
    """One face, aligned."""

    crop: Pixels
    """(112, 112, 3)."""
    quality: Quality


@dataclass(frozen=True, slots=True)
class Walk:
    """What one call asks of one photo."""

    policy: LookPolicy
    options: AnalyzeOptions
    region: Region | None = None
    """Look only there; None: everywhere."""

    @property
    def rounds(self) -> Sequence[Sequence[int]]:
        """Sizes of the looks that are taken at once; what a round shows decides on the next one."""
        sizes = self.policy.sizes
        return [(size,) for size in sizes] if self.options.is_early_stop else [sizes]

    def inputs(self, picture: Picture, sizes: Sequence[int]) -> list[DetectorInput]:
        """The photo as looks of these sizes want it. Raises ItemError."""
        likely_face = SELFIE_FACE if self.options.is_early_stop else SMALLEST_LIKELY_FACE
        return picture.inputs(sizes, Detail(max(self.policy.sizes), likely_face), self.region)

    def sight(
        self, picture: Picture, inputs: Sequence[DetectorInput], looks: Sequence[Detections]
    ) -> Sight:
        """inputs: of all rounds so far, at least one; looks: what the detector saw on each."""
        scales = [one.scale for one in inputs]
        faces = largest_first(self.policy.merge(looks, scales))
        counts = counted(faces, picture.width, picture.height, self.options.counting)
        is_clear = self.policy.is_clear(
            faces,
            counts,
            self.options.min_score,
            max(scales),
            is_single=self.options.embed is EmbedMode.SINGLE,
        )
        return Sight(faces, counts, is_clear)

    def judge(self, picture: Picture, sight: Sight) -> list[Judged]:
        """The faces that are returned, largest first: aligned, and how good. Raises ItemError."""
        faces = sight.faces
        shown = faces.landmarks[: self.options.max_faces or None]
        crops = picture.crops(list(shown))
        return [
            Judged(crop, assess(box, landmarks, crop))
            for box, landmarks, crop in zip(faces.boxes[: len(shown)], shown, crops, strict=True)
        ]

    def to_embed(self, sight: Sight) -> list[int]:
        """Which of the faces that are returned get an embedding."""
        shown = sight.counts[: self.options.max_faces or None]
        match self.options.embed:
            case EmbedMode.ALL:
                return list(range(len(shown)))
            case EmbedMode.SINGLE if sight.faces_counted == 1:
                return [int(face) for face in np.flatnonzero(shown)]
            case EmbedMode.LARGEST:
                return [int(face) for face in np.flatnonzero(shown)[:1]]
            case _:
                return []

    def answer(
        self,
        picture: Picture,
        sight: Sight,
        judged: Sequence[Judged],
        embeddings: Mapping[int, FloatArray],
        seconds: StageSeconds,
    ) -> Analysis:
        """embeddings: of the faces `to_embed` named, (dim,) each."""
        return Analysis(
            width=picture.width,
            height=picture.height,
            faces=[
                self._face(sight, index, one, embeddings.get(index))
                for index, one in enumerate(judged)
            ],
            faces_counted=sight.faces_counted,
            seconds=seconds,
        )

    def _face(
        self, sight: Sight, index: int, judged: Judged, embedding: FloatArray | None
    ) -> AnalyzedFace:
        x1, y1, x2, y2 = (float(edge) for edge in sight.faces.boxes[index])
        has_crop = self.options.with_crops and embedding is not None
        return AnalyzedFace(
            box=(x1, y1, x2, y2),
            landmarks=sight.faces.landmarks[index],
            score=float(sight.faces.scores[index]),
            quality=judged.quality,
            counts=bool(sight.counts[index]),
            embedding=embedding,
            crop=judged.crop if has_crop else None,
        )
