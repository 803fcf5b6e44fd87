"""What follows from a photo's revisions, apart from where they are kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from storage.identity import RevisionId, SpaceId
from storage.records.model import (
    Face,
    FaceState,
    NewFace,
    Photo,
    PhotoFilter,
    PhotoStatus,
    PhotoSummary,
    Quality,
    Revision,
    RevisionState,
)

SHOWN = (RevisionState.STAGED, RevisionState.LIVE)
"""The states in which a user can see a revision, by its photo or by a face of it."""

OPEN = (RevisionState.PENDING, *SHOWN)
"""The states that a removal ends."""


def answers_enrolment(
    current: Photo, sha256: str, spaces: Collection[SpaceId], min_quality: float = 0.0
) -> bool:
    """Whether enrolling these bytes would leave the current revision as it is.

    `spaces`: that to enrol into, and what it covers. Also where `min_quality` was another one when
    it was enrolled, and lets the same faces in.
    """
    return has_bytes(current.revision, sha256) and all(
        face.state is FaceState.DETECTED
        if is_below(face.seen.quality, min_quality)
        else face.state is FaceState.INDEXED and face.space_id in spaces
        for face in current.faces
    )


def is_below(quality: Quality, min_quality: float) -> bool:
    """Whether the face is too poor to be compared; by the overall figure, 0 to 1."""
    return quality.overall < min_quality


def has_bytes(revision: Revision, sha256: str) -> bool:
    """Whether the revision keeps these bytes. One that lost them is written again, not reused."""
    return revision.sha256 == sha256 and not revision.lost


def numbered(revision: RevisionId, faces: Sequence[NewFace]) -> tuple[Face, ...]:
    """The faces as the revision's, numbered from 0 in the order given; none is in the index."""
    return tuple(Face(revision, n, seen, FaceState.DETECTED, None) for n, seen in enumerate(faces))


def enrolled(
    revision: RevisionId, faces: Sequence[NewFace], space: SpaceId, min_quality: float
) -> tuple[Face, ...]:
    """The faces as the revision's, numbered likewise; in the index are those good enough."""
    return tuple(
        face
        if is_below(face.seen.quality, min_quality)
        else replace(face, state=FaceState.INDEXED, space_id=space)
        for face in numbered(revision, faces)
    )


def indexed(faces: Sequence[Face]) -> int:
    """How many of the faces are in the index."""
    return sum(face.state is FaceState.INDEXED for face in faces)


def summary_of(photo: Photo) -> PhotoSummary:
    """A photo as a line of a listing."""
    revision = photo.revision
    return PhotoSummary(
        photo=revision.photo,
        revision=revision.id,
        sha256=revision.sha256,
        status=photo.status,
        faces_detected=len(photo.faces),
        faces_indexed=indexed(photo.faces),
        created_at=revision.created_at,
        updated_at=revision.updated_at,
    )


def lets_through(which: PhotoFilter, line: PhotoSummary) -> bool:
    """Whether the filter lets the photo through."""
    return (
        (which.collections is None or line.photo.collection_id in which.collections)
        and (which.photo_id is None or line.photo.photo_id == which.photo_id)
        and (which.status is None or line.status is which.status)
    )


def is_kept_without_faces(status: PhotoStatus, *, has_live: bool) -> bool:
    """Whether a staged revision stays however old it is.

    A photo in which nobody was found is listed as such until it is removed; only as a replacement
    of a live one it is of no use.
    """
    return status is PhotoStatus.NO_FACES and not has_live
