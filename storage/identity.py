"""The names of things that all three stores share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

# New and sortable by time of creation; 26 characters of Crockford's base 32, lower case.
RevisionId = NewType("RevisionId", str)
# "<revision>_<n>": names the face, and is the key of its vector.
FaceId = NewType("FaceId", str)
# Letters, digits and underscores; the name of the Milvus collection that holds it.
SpaceId = NewType("SpaceId", str)

NO_COLLECTION = ""

_FACE_ID = re.compile(r"f_([0-9a-hjkmnp-tv-z]{26})_([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class PhotoKey:
    """A photo as its owner names it. `collection_id` is "" for a photo in no collection."""

    collection_id: str
    photo_id: str


def face_id_of(revision: RevisionId, number: int) -> FaceId:
    """The face `number` of a revision."""
    return FaceId(f"f_{revision}_{number}")


def split_face_id(face_id: str) -> tuple[RevisionId, int] | None:
    """Revision and number of a face id, or None if it cannot be one of ours."""
    match = _FACE_ID.fullmatch(face_id)
    return (RevisionId(match[1]), int(match[2])) if match else None
