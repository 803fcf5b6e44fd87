"""The answers as they go out. Field descriptions appear in /openapi.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from storage.records.model import (
    Box,
    Face,
    FaceState,
    NewFace,
    Photo,
    PhotoStatus,
    PhotoSummary,
    Quality,
)

Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True)


class BoxAnswer(Answer):
    """A rectangle in pixels of the photo as a person sees it (EXIF orientation applied)."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def of(cls, box: Box) -> BoxAnswer:
        """One decimal each."""
        return cls(
            x=round(box.x, 1),
            y=round(box.y, 1),
            width=round(box.width, 1),
            height=round(box.height, 1),
        )


class QualityAnswer(Answer):
    """How good a face is for recognition."""

    overall: float = Field(description="0 to 1.")
    size: float = Field(description="Pixels.")
    sharpness: float = Field(description="0 to 1.")
    yaw: float = Field(description="Degrees; negative: turned to the left of the picture.")
    pitch: float = Field(description="Degrees.")
    roll: float = Field(description="Degrees.")

    @classmethod
    def of(cls, quality: Quality) -> QualityAnswer:
        return cls(
            overall=round(quality.overall, 2),
            size=round(quality.size, 1),
            sharpness=round(quality.sharpness, 2),
            yaw=round(quality.yaw, 1),
            pitch=round(quality.pitch, 1),
            roll=round(quality.roll, 1),
        )


class ModelAnswer(Answer):
    """The pack that answered."""

    pack: str
    version: str


class FaceAnswer(Answer):
    """A face of a photo."""

    face_id: str | None = Field(description="null with keep=false: nothing was kept.")
    bbox: BoxAnswer
    landmarks: list[Point] = Field(
        description="Five points: left eye, right eye, nose, left and right corner of the mouth."
    )
    detection_score: float = Field(description="0 to 1.")
    quality: QualityAnswer
    status: FaceState

    @classmethod
    def of(cls, face: Face) -> FaceAnswer:
        return cls.of_seen(face.seen, face_id=face.face_id, status=face.state)

    @classmethod
    def of_seen(
        cls, seen: NewFace, *, face_id: str | None = None, status: FaceState = FaceState.DETECTED
    ) -> FaceAnswer:
        return cls(
            face_id=face_id,
            bbox=BoxAnswer.of(seen.box),
            landmarks=[[round(x, 1), round(y, 1)] for x, y in seen.landmarks],
            detection_score=round(seen.detection_score, 4),
            quality=QualityAnswer.of(seen.quality),
            status=status,
        )


class DetectAnswer(Answer):
    """A photo with its faces, largest first."""

    photo_id: str
    collection_id: str = Field(description='"": in no collection.')
    width: int = Field(description="Pixels, EXIF orientation applied.")
    height: int
    faces: list[FaceAnswer]
    model: ModelAnswer
    request_id: str


class PutPhotoAnswer(DetectAnswer):
    """A photo as it was put into the base."""

    status: PhotoStatus
    created: bool = Field(description="false: the same bytes were there already.")


class PhotoAnswer(Answer):
    """The record of a photo."""

    photo_id: str
    collection_id: str = Field(description='"": in no collection.')
    sha256: str
    bytes: int
    width: int
    height: int
    status: PhotoStatus
    faces: list[FaceAnswer]
    created_at: AwareDatetime
    updated_at: AwareDatetime
    request_id: str

    @classmethod
    def of(cls, photo: Photo, request_id: str) -> PhotoAnswer:
        revision = photo.revision
        return cls(
            photo_id=revision.photo.photo_id,
            collection_id=revision.photo.collection_id,
            sha256=revision.sha256,
            bytes=revision.bytes,
            width=revision.width,
            height=revision.height,
            status=photo.status,
            faces=[FaceAnswer.of(face) for face in photo.faces],
            created_at=revision.created_at,
            updated_at=revision.updated_at,
            request_id=request_id,
        )


class AddFaceAnswer(Answer):
    """The face that is in the index now."""

    face_id: str
    photo_id: str
    collection_id: str
    bbox: BoxAnswer
    status: Literal[FaceState.INDEXED]
    created: bool = Field(description="false: it was in the index already.")
    model: ModelAnswer
    request_id: str


class StatusItem(Answer):
    """One photo of a listing."""

    photo_id: str
    collection_id: str
    sha256: str
    status: PhotoStatus
    faces_detected: int
    faces_indexed: int
    error: str | None = Field(description="What is wrong, if the status is failed.")
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @classmethod
    def of(cls, summary: PhotoSummary) -> StatusItem:
        is_lost = summary.status is PhotoStatus.FAILED
        return cls(
            photo_id=summary.photo.photo_id,
            collection_id=summary.photo.collection_id,
            sha256=summary.sha256,
            status=summary.status,
            faces_detected=summary.faces_detected,
            faces_indexed=summary.faces_indexed,
            error="the photo's bytes are lost; send it again" if is_lost else None,
            created_at=summary.created_at,
            updated_at=summary.updated_at,
        )


class StatusAnswer(Answer):
    """A page of photos, by photo_id and collection_id."""

    items: list[StatusItem]
    next_cursor: str | None = Field(description="For the next page; null: this is the last.")
    total: int = Field(description="All photos that the filter lets through.")


class RemoveAnswer(Answer):
    """What a removal took away."""

    photo_id: str
    faces_removed: int


class RemoveAllAnswer(Answer):
    """What a removal took away."""

    photos_removed: int
    faces_removed: int


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


class PingAnswer(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


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
