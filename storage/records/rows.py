"""Between rows and the values of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from storage.identity import PhotoKey, RevisionId, SpaceId
from storage.records.model import (
    ApiKey,
    Box,
    Face,
    FaceState,
    Job,
    JobState,
    NewFace,
    Photo,
    PhotoStatus,
    PhotoSummary,
    Quality,
    Revision,
    RevisionState,
    Space,
    SpaceState,
)
from storage.records.tables import faces, revisions

REVISION = tuple(revisions.c)
FACE = tuple(faces.c)
"""No column of one has the name of a column of the other, so a row may hold both."""

AnyRow = Row[Any]


def revision_of(row: AnyRow) -> Revision:
    """A row with the columns REVISION."""
    return Revision(
        id=RevisionId(row.id),
        photo=PhotoKey(row.collection_id, row.photo_id),
        sha256=row.sha256,
        bytes=row.bytes,
        width=row.width,
        height=row.height,
        state=RevisionState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        lost=row.lost,
    )


def face_of(row: AnyRow) -> Face:
    """A row that ends with the columns FACE. By position: every search makes many of these."""
    (revision, n, x, y, width, height, landmarks, detection_score, *quality, space, state) = row[
        -len(FACE) :
    ]
    return Face(
        revision=RevisionId(revision),
        number=n,
        seen=NewFace(
            box=Box(x, y, width, height),
            landmarks=tuple(map(tuple, landmarks)),
            detection_score=detection_score,
            quality=Quality(*quality),
        ),
        state=FaceState(state),
        space_id=None if space is None else SpaceId(space),
    )


def photo_of(rows: Sequence[AnyRow]) -> Photo | None:
    """One revision joined with its faces in order; a revision without faces has NULL for them."""
    if not rows:
        return None
    seen = tuple(face_of(row) for row in rows if row.n is not None)
    return Photo(revision_of(rows[0]), seen)


def summary_of(row: AnyRow) -> PhotoSummary:
    """A row with the columns REVISION, as a line of a listing."""
    if row.lost:
        status = PhotoStatus.FAILED
    elif row.faces_indexed:
        status = PhotoStatus.INDEXED
    else:
        status = PhotoStatus.DETECTED if row.faces_detected else PhotoStatus.NO_FACES
    return PhotoSummary(
        photo=PhotoKey(row.collection_id, row.photo_id),
        revision=RevisionId(row.id),
        sha256=row.sha256,
        status=status,
        faces_detected=row.faces_detected,
        faces_indexed=row.faces_indexed,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def face_values(new: Iterable[Face]) -> list[dict[str, object]]:
    """Rows of `faces` to insert."""
    return [
        {
            "revision": face.revision,
            "n": face.number,
            "x": face.seen.box.x,
            "y": face.seen.box.y,
            "box_width": face.seen.box.width,
            "box_height": face.seen.box.height,
            "landmarks": [list(point) for point in face.seen.landmarks],
            "detection_score": face.seen.detection_score,
            "quality": face.seen.quality.overall,
            "quality_size": face.seen.quality.size,
            "sharpness": face.seen.quality.sharpness,
            "yaw": face.seen.quality.yaw,
            "pitch": face.seen.quality.pitch,
            "roll": face.seen.quality.roll,
            "space_id": face.space_id,
            "face_state": face.state.value,
        }
        for face in new
    ]


def space_of(row: AnyRow, covers: Iterable[str]) -> Space:
    """A row of `spaces`, and what it covers."""
    return Space(
        SpaceId(row.id),
        row.pack,
        row.version,
        row.dim,
        SpaceState(row.state),
        behind=row.behind,
        target=row.target,
        covers=frozenset(map(SpaceId, covers)),
    )


def key_of(row: AnyRow) -> ApiKey:
    """A row of `api_keys`."""
    return ApiKey(
        name=row.name,
        sha256=row.sha256,
        scopes=frozenset(row.scopes),
        collections=None if row.collections is None else frozenset(row.collections),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def job_of(row: AnyRow) -> Job:
    """A row of `jobs`."""
    return Job(
        id=row.id,
        kind=row.kind,
        arguments=row.arguments,
        state=JobState(row.state),
        done=row.done,
        total=row.total,
        result=row.result,
        error=row.error,
    )
