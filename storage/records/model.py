"""The rows of the records as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId, face_id_of


class RevisionState(StrEnum):
    """What a revision of a photo is."""

    PENDING = "pending"  # being written; nobody sees it
    STAGED = "staged"  # detected, no face added yet
    LIVE = "live"  # the photo as it is
    GARBAGE = "garbage"  # overtaken or removed; waits for the sweep


class FaceState(StrEnum):
    """What a face is."""

    DETECTED = "detected"  # seen, not searchable
    INDEXED = "indexed"  # searchable, if its revision is live


class PhotoStatus(StrEnum):
    """What a user sees of a photo's state."""

    DETECTED = "detected"  # faces were seen, none is in the index
    INDEXED = "indexed"  # at least one face is in the index
    NO_FACES = "no_faces"
    FAILED = "failed"  # its bytes are lost


class SpaceState(StrEnum):
    """What an embedding space is for."""

    ACTIVE = "active"  # searches go here
    FILLING = "filling"  # being made; not searched yet
    RETIRED = "retired"  # kept, not searched


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the photo frame (EXIF applied), in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a face is for recognition; ranges as in the inference contract."""

    overall: float
    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class NewFace:
    """A face as the inference service saw it."""

    box: Box
    landmarks: tuple[tuple[float, float], ...]
    """Five points in the photo frame, in pixels."""
    detection_score: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a revision."""

    revision: RevisionId
    number: int
    seen: NewFace
    state: FaceState
    space_id: SpaceId | None
    """The space its vector is in; None until it is indexed."""

    @property
    def face_id(self) -> FaceId:
        return face_id_of(self.revision, self.number)


@dataclass(frozen=True, slots=True)
class Revision:
    """One set of bytes of a photo."""

    id: RevisionId
    photo: PhotoKey
    sha256: str
    """64 hex digits."""
    bytes: int
    width: int
    """Pixels, EXIF applied; 0 while pending."""
    height: int
    state: RevisionState
    created_at: datetime
    """UTC, by the database's clock."""
    updated_at: datetime
    lost: bool = False
    """Whether `check` found its bytes missing."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A revision with its faces, largest first (by their number)."""

    revision: Revision
    faces: tuple[Face, ...]

    @property
    def status(self) -> PhotoStatus:
        if self.revision.lost:
            return PhotoStatus.FAILED
        if any(face.state is FaceState.INDEXED for face in self.faces):
            return PhotoStatus.INDEXED
        return PhotoStatus.DETECTED if self.faces else PhotoStatus.NO_FACES


@dataclass(frozen=True, slots=True)
class PhotoSummary:
    """A line of a listing."""

    photo: PhotoKey
    revision: RevisionId
    sha256: str
    status: PhotoStatus
    faces_detected: int
    faces_indexed: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """Which photos to list. `collections` None: the whole base."""

    collections: frozenset[str] | None = None
    photo_id: str | None = None
    status: PhotoStatus | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some summaries, ordered by (photo_id, collection_id) by code point."""

    items: tuple[PhotoSummary, ...]
    next_after: PhotoKey | None
    """Where the next page begins; None: there is none."""


@dataclass(frozen=True, slots=True)
class Committed:
    """How an enrolment ended."""

    photo: Photo
    created: bool
    """False: the same bytes were there already, and `photo` is what was there."""


@dataclass(frozen=True, slots=True)
class FaceIndexed:
    """How the addition of one face ended."""

    face: Face
    created: bool
    """False: it was in the index already."""


@dataclass(frozen=True, slots=True)
class Removed:
    """How much a removal took away."""

    photos: int
    faces: int
    """Indexed faces."""


@dataclass(frozen=True, slots=True)
class Space:
    """An embedding space that the base knows."""

    id: SpaceId
    pack: str
    version: str
    dim: int
    state: SpaceState
    behind: int = 0
    """How often a face was indexed elsewhere and not here while this one was being filled. Whoever
    fills it knows by that whether anything came in behind."""
    target: str | None = None
    """Where an inference server runs this pack, host:port, beside those in the settings."""
    covers: frozenset[SpaceId] = frozenset()
    """Spaces that it came after: their faces are in it, too."""

    def holds(self, space: SpaceId | None) -> bool:
        """Whether a face that was indexed in `space` is in this one."""
        return space == self.id or space in self.covers


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key by its digest; the key itself is never kept."""

    name: str
    sha256: str
    """Of the key's UTF-8 bytes, 64 hex digits."""
    scopes: frozenset[str]
    collections: frozenset[str] | None
    """None: every collection."""
    created_at: datetime
    revoked_at: datetime | None = None


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that a command asks the running edge to do."""

    id: str
    kind: str
    """Such as "check"."""
    arguments: dict[str, object]
    state: JobState
    done: int = 0
    total: int | None = None
    result: dict[str, object] = field(default_factory=dict)
    error: str | None = None
