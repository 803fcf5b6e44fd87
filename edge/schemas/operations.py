"""The answers to probes, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from edge.schemas.parts import Answer, BoxAnswer


class PingAnswer(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class LiveAnswer(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class DependencyAnswer(Answer):
    """One thing the edge needs."""

    state: Literal["ok", "starting", "unavailable", "mismatch"]
    detail: str | None = Field(description="What is wrong and what to do; null: nothing.")


class ReadyAnswer(Answer):
    """Whether requests can be answered."""

    status: Literal["ready", "starting", "draining", "unavailable"]
    detail: str | None
    dependencies: dict[str, DependencyAnswer]


class FieldError(Answer):
    """One parameter that is wrong."""

    field: str
    message: str


class FacesFound(Answer):
    """Faces that count on the photo."""

    count: int
    boxes: list[BoxAnswer]


class ProblemAnswer(Answer):
    """An error (RFC 9457)."""

    type: str = Field(description="A page about this kind of error.")
    title: str
    status: int
    detail: str = Field(description="What was wrong, and what to do.")
    code: str = Field(description="Stable; what a program goes by.")
    request_id: str
    errors: Sequence[FieldError] | None = Field(
        default=None, description="With invalid_parameter: which, and what about it."
    )
    faces: FacesFound | None = Field(
        default=None, description="With no_faces_detected and too_many_faces: what was found."
    )
    collections: Sequence[str] | None = Field(
        default=None, description="With ambiguous_photo: where the photo is."
    )
    score_threshold: float | None = Field(
        default=None, description="Of a search: the one that was applied."
    )
