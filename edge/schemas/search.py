"""The answer of a search."""

from __future__ import annotations

from pydantic import Field

from edge.schemas.parts import Answer, BoxAnswer, ModelAnswer, QualityAnswer, Turn


class MatchFace(Answer):
    """The most similar face of a photo."""

    face_id: str
    bbox: BoxAnswer


class MatchAnswer(Answer):
    """One photo that shows the person."""

    photo_id: str
    collection_id: str
    score: float = Field(description="Cosine similarity, -1 to 1.")
    face: MatchFace


class ProbeAnswer(Answer):
    """The face of the selfie."""

    bbox: BoxAnswer
    detection_score: float
    quality: QualityAnswer
    turn: Turn
    faces_found: int = Field(description="How many faces of the selfie counted.")


class TookAnswer(Answer):
    """Where the time went, in milliseconds."""

    total: float
    inference: float
    vectors: float


class SearchAnswer(Answer):
    """Photos that show the person, most similar first, each once."""

    results: list[MatchAnswer]
    top_k: int
    offset: int
    next_offset: int | None = Field(description="For the next page; null: there is none.")
    score_threshold: float
    query: ProbeAnswer
    model: ModelAnswer
    took_ms: TookAnswer
    request_id: str
