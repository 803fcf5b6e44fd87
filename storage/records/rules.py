"""What follows from a photo's revisions, apart from where they are kept."""

from __future__ import annotations

from collections.abc import Sequence

from storage.identity import RevisionId, SpaceId
from storage.records.model import (
    Face,
    FaceState,
    NewFace,
    Photo,
    PhotoFilter,
    PhotoStatus,
    PhotoSummary,
    Revision,
    RevisionState,
)

SHOWN = (RevisionState.STAGED, RevisionState.LIVE)
"""The states in which a user can see a revision, by its photo or by a face of it."""

OPEN = (RevisionState.PENDING, *SHOWN)
"""The states that a removal ends."""


def answers_enrolment(current: Photo, sha256: str, space: SpaceId) -> bool:
    """Whether enrolling these bytes into `space` would leave the current revision as it is."""
    return has_bytes(current.revision, sha256) and all(
        face.state is FaceState.INDEXED and face.space_id == space for face in current.faces
    )


def has_bytes(revision: Revision, sha256: str) -> bool:
    """Whether the revision keeps these bytes. One that lost them is written again, not reused."""
    return revision.sha256 == sha256 and not revision.lost


def numbered(
    revision: RevisionId, faces: Sequence[NewFace], state: FaceState, space: SpaceId | None
) -> tuple[Face, ...]:
    """The faces as the revision's, numbered from 0 in the order given."""
    return tuple(Face(revision, n, seen, state, space) for n, seen in enumerate(faces))


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
