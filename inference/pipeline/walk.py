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
    EmbedMode,
    FloatArray,
    Pixels,
    Quality,
    Region,
    StageSeconds,
)
from inference.pipeline.letterbox import DetectorInput, part_of
from inference.pipeline.looks import Look, LookPolicy, sizes_of
from inference.pipeline.picture import Detail, Picture
from inference.pipeline.quality import assess
from inference.pipeline.sight import Glance, Looking, Sight
from inference.pipeline.tiles import Tile

SELFIE_FACE = 1 / 6
"""Of the longer side. Whoever searches shows one large face."""
SELFIE_CROP_DETAIL = 1.25
"""Pixels of a level per pixel of a crop, at least, in a search: people are told apart as well as
from twice as many (TAR at FMR 1e-3 95.9 % both ways, 1,002 LFW photos enlarged, with grain), and a
photo of one or two megapixels can be decoded at a half."""
SMALLEST_LIKELY_FACE = 1 / 12
"""Of the longer side. Whoever asks for every face expects small ones."""

SURE_SCORE = 0.75
"""A face below it is weak: turned, covered or small. Of 310 faces on 250 LFW photos 20 had in bf16
an embedding below a cosine of 0.998 to float32's, and 19 of these a lower score than this."""


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
    def looking(self) -> Looking:
        """How the photo is looked at."""
        return Looking(self.policy, self.options)

    def due(self, glances: Sequence[Glance], sight: Sight | None) -> Sequence[Look]:
        """As `Looking.due`."""
        return self.looking.due(glances, sight)

    def inputs(self, picture: Picture, looks: Sequence[Look]) -> list[DetectorInput]:
        """The photo as these looks want it. Raises ItemError."""
        detail = self._detail(looks)
        part = part_of(picture.width, picture.height, self.region)
        as_it_is: dict[tuple[int, Tile | None], DetectorInput] = {}
        for look in looks:
            place = (look.size, look.tile)
            if place not in as_it_is:
                region = self.region if look.tile is None else look.tile.within(part)
                as_it_is[place] = picture.inputs([look.size], detail, region)[0]
        return [as_it_is[look.size, look.tile].turned_by(look.turn) for look in looks]

    def sight(self, picture: Picture, glances: Sequence[Glance]) -> Sight:
        """What the looks of all rounds so far, at least one, show together."""
        part = part_of(picture.width, picture.height, self.region)
        return self.looking.sight(glances, part, picture.width, picture.height)

    def doubted(self, glances: Sequence[Glance], sight: Sight) -> list[int]:
        """Which glances (their positions) a detector in less than float32 takes again in it.

        Those that gave a weak face of the answer, and not a tiny one: rounding moves its landmarks
        by pixels, and then it gets another embedding. (Of faces below `clear_pixels` landmarks
        hardly move: they come from finer cells.) Not in searches, which keep nothing: there it
        would cost 5 %.
        """
        if self.options.is_early_stop:
            return []
        weak = sight.faces.boxes[sight.faces.scores < SURE_SCORE]
        return [number for number, glance in enumerate(glances) if self._gave(glance, weak)]

    def _detail(self, looks: Sequence[Look]) -> Detail:
        """How finely the photo is decoded for these looks and for the crops that may follow."""
        largest, parts = max(self.policy.sizes), self.looking.parts
        if not self.options.is_early_stop:
            return Detail(largest * parts, SMALLEST_LIKELY_FACE / parts)
        # Most searches end with their first look: its face is large then (`clear_pixels`). All
        # others cost a second decode, which is fine enough for every look.
        size = max(look.size for look in looks)
        if size > self.policy.sizes[0]:
            size = largest
        face = max(self.policy.clear_pixels / size, SELFIE_FACE)
        return Detail(size, face, SELFIE_CROP_DETAIL)

    def _crop_details(self, sight: Sight, faces: int) -> list[float] | None:
        """How finely the first so many faces are needed, as of `Picture.crops`."""
        if not self.options.is_early_stop:
            return None
        embedded = set(self.to_embed(sight))
        return [SELFIE_CROP_DETAIL if face in embedded else 0.0 for face in range(faces)]

    def _gave(self, glance: Glance, faces: FloatArray) -> bool:
        """Whether one of these boxes, (n, 4), is of this look, and not tiny in it."""
        boxes = glance.faces.boxes
        is_among = (boxes[:, None] == faces[None]).all(axis=2).any(axis=1)
        is_tiny = sizes_of(boxes) * glance.image.scale < self.policy.clear_pixels
        return bool((is_among & ~is_tiny).any())

    def judge(self, picture: Picture, sight: Sight) -> list[Judged]:
        """The faces that are returned, largest first: aligned, and how good. Raises ItemError."""
        faces = sight.faces
        shown = faces.landmarks[: self.options.max_faces or None]
        crops = picture.crops(list(shown), self._crop_details(sight, len(shown)))
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
            turn=sight.turn,
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
