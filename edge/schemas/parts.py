"""What several answers are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.use_cases.quality import QualityRule
from storage.records.model import Box, Face, FaceState, NewFace, Quality


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True)


Point = Annotated[list[float], Field(min_length=2, max_length=2)]


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


def turn_of(quality: Quality) -> int:
    """Degrees clockwise, 0, 90, 180 or 270, that set a face nearest to upright.

    Of a photo that inference turned this is its turn; the records keep it with the face's roll.
    """
    return round(-quality.roll / 90) * 90 % 360


Turn = Annotated[
    int,
    Field(
        description="Degrees clockwise by which the photo is turned for the face to stand upright: "
        "0, 90, 180 or 270. Box and landmarks are those of the photo as it is."
    ),
]


class ModelAnswer(Answer):
    """The pack that answered."""

    pack: str
    version: str


class FaceAnswer(Answer):
    """A face of a photo."""

    face_id: str | None = Field(description="null with keep=false: nothing was kept.")
    bbox: BoxAnswer
    landmarks: list[Point] = Field(
        description="Five points: left eye, right eye, nose, left and right corner of the mouth, "
        "as seen when the photo is turned by `turn`."
    )
    detection_score: float = Field(description="0 to 1.")
    quality: QualityAnswer
    turn: Turn
    low_quality: bool = Field(description="Whether the quality is below EDGE_MIN_QUALITY.")
    status: FaceState

    @classmethod
    def of(cls, face: Face, rule: QualityRule) -> FaceAnswer:
        return cls.of_seen(face.seen, rule, face_id=face.face_id, status=face.state)

    @classmethod
    def of_seen(
        cls,
        seen: NewFace,
        rule: QualityRule,
        *,
        face_id: str | None = None,
        status: FaceState = FaceState.DETECTED,
    ) -> FaceAnswer:
        return cls(
            face_id=face_id,
            bbox=BoxAnswer.of(seen.box),
            landmarks=[[round(x, 1), round(y, 1)] for x, y in seen.landmarks],
            detection_score=round(seen.detection_score, 4),
            quality=QualityAnswer.of(seen.quality),
            turn=turn_of(seen.quality),
            low_quality=rule.is_low(seen.quality),
            status=status,
        )
