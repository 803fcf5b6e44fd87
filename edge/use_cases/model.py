"""What goes into the use cases and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from storage.identity import FaceId, PhotoKey, SpaceId
from storage.records.model import Box, Face, NewFace, Photo, PhotoSummary, Quality


class FacesPolicy(StrEnum):
    """What a selfie with several faces means (EDGE_SEARCH_FACES)."""

    EVERY = "every"  # more than one counted face is an error
    PROMINENT = "prominent"  # small or doubtful faces beside a large one do not count
    LARGEST = "largest"  # never an error


class LookPolicy(StrEnum):
    """How thoroughly inference looks (EDGE_SEARCH_LOOK)."""

    FULL = "full"
    EARLY_STOP = "early_stop"


class Embed(StrEnum):
    """Which faces get an embedding."""

    ALL = "all"
    SINGLE = "single"
    LARGEST = "largest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Counting:
    """Which faces count; see the contract's Counting."""

    min_face_fraction: float = 0.05
    min_inside: float = 0.75
    prominent_fraction: float = 0.0
    prominent_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """The model that answered."""

    pack: str
    version: str
    space_id: SpaceId
    dim: int


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face as inference saw it."""

    face: NewFace
    counts: bool
    embedding: NDArray[np.float32] | None
    """(dim,), unit length; None: not asked for."""


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """A photo as inference saw it."""

    width: int
    height: int
    faces: Sequence[SeenFace]
    """Largest first."""
    model: Model
    inference_seconds: float
    """As the caller waited."""


class FaceAnalyzer(Protocol):
    """The inference service as the edge needs it.

    Raises InferenceUnavailable, Overloaded, DeadlineExceeded, InvalidImage or ImageTooLarge
    (edge.errors).
    """

    async def analyze(
        self,
        image: bytes,
        *,
        look: LookPolicy,
        embed: Embed,
        counting: Counting = Counting(),
        region: Box | None = None,
    ) -> SeenPhoto: ...

    async def embed(
        self, image: bytes, landmarks: Sequence[tuple[float, float]]
    ) -> tuple[NDArray[np.float32], Model]:
        """The embedding of the face at these five points (photo frame)."""
        ...

    async def model(self, *, is_asked_anew: bool = False) -> Model:
        """What is loaded; known without a call once inference has answered, unless that is asked
        for.
        """
        ...

    async def recommended_threshold(self, false_match_rate: float) -> float | None:
        """The pack's own figure, if it has one."""
        ...

    async def ping(self) -> None:
        """Return if inference is serving."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One search, checked."""

    top_k: int
    offset: int
    score_threshold: float
    collections: frozenset[str] | None
    """None: the whole base; "" among them: what is in no collection."""


@dataclass(frozen=True, slots=True)
class Match:
    """One photo that shows the person, by its most similar face."""

    photo: PhotoKey
    score: float
    """Cosine similarity, unrounded."""
    face_id: FaceId
    box: Box
    """Where that face is on the photo."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of matches, most similar first."""

    matches: Sequence[Match]
    next_offset: int | None
    score_threshold: float
    """The effective one."""
    probe: SeenFace
    faces_found: int
    """How many faces counted on the selfie."""
    model: Model
    inference_seconds: float
    vectors_seconds: float


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How an enrolment (or a detection) ended."""

    photo: Photo
    created: bool
    model: Model


@dataclass(frozen=True, slots=True)
class Detection:
    """The answer of /detect_faces/ with keep=false: nothing is stored."""

    photo: PhotoKey
    seen: SeenPhoto


@dataclass(frozen=True, slots=True)
class FaceAdded:
    """How /add_face/ ended."""

    photo: PhotoKey
    face: Face
    created: bool
    model: Model


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of /embed_status/."""

    items: Sequence[PhotoSummary]
    next_after: PhotoKey | None
    total: int


__all__ = [
    "Box",
    "Counting",
    "Detection",
    "Embed",
    "Enrolment",
    "FaceAdded",
    "FaceAnalyzer",
    "FaceId",
    "FacesPolicy",
    "Listing",
    "LookPolicy",
    "Match",
    "Model",
    "Photo",
    "Quality",
    "SearchPage",
    "SearchQuery",
    "SeenFace",
    "SeenPhoto",
]
