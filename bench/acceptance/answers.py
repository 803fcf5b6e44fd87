"""What the service answers, checked: the parts that the acceptance reads."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Box(_Answer):
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"


class Face(_Answer):
    """A face of a photo."""

    face_id: str | None
    bbox: Box
    status: str


class Photo(_Answer):
    """The answer of /detect_faces/, of PUT and of GET /photos/."""

    photo_id: str
    collection_id: str
    faces: tuple[Face, ...]
    status: str = ""
    created: bool | None = None

    @property
    def face_ids(self) -> list[str | None]:
        return [face.face_id for face in self.faces]


class Added(_Answer):
    """The answer of /add_face/."""

    face_id: str
    photo_id: str
    collection_id: str
    status: str
    created: bool


class StatusRow(_Answer):
    """A line of /embed_status/."""

    photo_id: str
    collection_id: str
    status: str
    faces_detected: int
    faces_indexed: int


class StatusPage(_Answer):
    """A page of /embed_status/."""

    items: tuple[StatusRow, ...]
    next_cursor: str | None
    total: int


class MatchFace(_Answer):
    """The most similar face of a photo."""

    face_id: str
    bbox: Box


class Match(_Answer):
    """A photo that was found."""

    photo_id: str
    collection_id: str
    score: float
    face: MatchFace


class Model(_Answer):
    """The pack that answered."""

    pack: str
    version: str

    def __str__(self) -> str:
        return f"{self.pack} {self.version}"


class Found(_Answer):
    """The answer of /search/."""

    results: tuple[Match, ...]
    top_k: int
    offset: int
    next_offset: int | None
    score_threshold: float
    model: Model

    @property
    def photos(self) -> list[tuple[str, str]]:
        """Collection and name of each, in their order."""
        return [(match.collection_id, match.photo_id) for match in self.results]


class Removed(_Answer):
    """The answer of /remove/."""

    photo_id: str
    faces_removed: int


class AllRemoved(_Answer):
    """The answer of /remove_all/."""

    photos_removed: int
    faces_removed: int


class Alive(_Answer):
    """The answer of /ping, /livez and /readyz."""

    status: str
    version: str = ""


class Problem(_Answer):
    """An error (RFC 9457)."""

    code: str
    detail: str = ""
    request_id: str = ""


class Refusal(Problem):
    """An error that says which faces it is about."""

    class Faces(_Answer):
        """How many, and where."""

        count: int
        boxes: tuple[Box, ...]

    faces: Faces
