"""What the edge answers, checked: the parts that the commands read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Bounds(_Answer):
    """A rectangle in pixels of the photo as a person sees it."""

    x: float
    y: float
    width: float
    height: float

    @property
    def rectangle(self) -> tuple[float, float, float, float]:
        return (self.x, self.y, self.width, self.height)


class EnrolledFace(_Answer):
    """A face of an enrolled photo."""

    face_id: str | None = None
    bbox: Bounds
    low_quality: bool = False


class RefusedFace(_Answer):
    """A face that the service did not put into the index."""

    face_id: str
    reason: str


class Enrolled(_Answer):
    """The answer of PUT /photos/{photo_id}."""

    photo_id: str
    status: str
    faces: tuple[EnrolledFace, ...]
    refused: tuple[RefusedFace, ...] = ()
    created: bool = True
    """False: the same bytes were there already."""


class PhotoRow(_Answer):
    """A line of /embed_status/."""

    photo_id: str
    collection_id: str | None = None
    sha256: str
    status: str


class PhotoPage(_Answer):
    """A page of /embed_status/."""

    items: tuple[PhotoRow, ...]
    next_cursor: str | None = None


class MatchedFace(_Answer):
    """The face that matched."""

    face_id: str
    bbox: Bounds


class MatchRow(_Answer):
    """A photo that shows the person."""

    photo_id: str
    collection_id: str | None = None
    score: float
    face: MatchedFace


class Probe(_Answer):
    """The face on the selfie."""

    bbox: Bounds


class Found(_Answer):
    """The answer of POST /search/."""

    results: tuple[MatchRow, ...]
    score_threshold: float
    query: Probe


class Problem(_Answer):
    """An error, RFC 9457."""

    title: str = ""
    detail: str = ""
    code: str = ""


class Dependency(_Answer):
    """One line of /readyz."""

    state: str
    detail: str | None = None


class Readiness(_Answer):
    """The answer of /readyz."""

    status: str
    detail: str | None = None
    dependencies: dict[str, Dependency] = {}
