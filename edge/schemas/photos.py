"""The answers about photos and faces."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from edge.schemas.parts import Answer, BoxAnswer, FaceAnswer, ModelAnswer
from edge.use_cases.quality import QualityRule
from storage.records.model import FaceState, Photo, PhotoStatus, PhotoSummary


class DetectAnswer(Answer):
    """A photo with its faces, largest first."""

    photo_id: str
    collection_id: str = Field(description='"": in no collection.')
    width: int = Field(description="Pixels, EXIF orientation applied.")
    height: int
    faces: list[FaceAnswer]
    min_quality: float = Field(
        description="The quality below which a face is `low_quality`; 0: none is."
    )
    model: ModelAnswer
    request_id: str


class RefusedFace(Answer):
    """A face that was not put into the index."""

    face_id: str
    reason: Literal["low_quality"]
    detail: str = Field(description="The figures.")


class PutPhotoAnswer(DetectAnswer):
    """A photo as it was put into the base."""

    status: PhotoStatus = Field(
        description="detected: faces were found, and all of them refused; see `refused`."
    )
    refused: list[RefusedFace] = Field(description="Faces that were not put into the index.")
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
    min_quality: float = Field(
        description="The quality below which a face is `low_quality`; 0: none is."
    )
    created_at: AwareDatetime
    updated_at: AwareDatetime
    request_id: str

    @classmethod
    def of(cls, photo: Photo, rule: QualityRule, request_id: str) -> PhotoAnswer:
        revision = photo.revision
        return cls(
            photo_id=revision.photo.photo_id,
            collection_id=revision.photo.collection_id,
            sha256=revision.sha256,
            bytes=revision.bytes,
            width=revision.width,
            height=revision.height,
            status=photo.status,
            faces=[FaceAnswer.of(face, rule) for face in photo.faces],
            min_quality=rule.min_quality,
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
