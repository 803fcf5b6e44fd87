"""From faces to photos: one row a photo, by its most similar face. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edge.use_cases.model import Match
from storage.identity import FaceId, PhotoKey
from storage.records.model import Box
from storage.vectors.port import Hit


def best_face_per_photo(
    hits: Iterable[Hit], visible: Mapping[FaceId, Box]
) -> dict[PhotoKey, Match]:
    """The most similar visible face of each photo; of equals the first by face_id."""
    best: dict[PhotoKey, Match] = {}
    for hit in sorted(hits, key=lambda hit: (-hit.score, hit.face_id)):
        box = visible.get(hit.face_id)
        if box is not None and hit.photo not in best:
            best[hit.photo] = Match(hit.photo, hit.score, hit.face_id, box)
    return best


def place_of(row: Match | Hit) -> tuple[float, str, str]:
    """Where a row stands in a result: by unrounded score, then photo_id, collection_id.

    Text is compared by code point. The smallest comes first.
    """
    return -row.score, row.photo.photo_id, row.photo.collection_id


def page_of(
    matches: Sequence[Match], *, offset: int, top_k: int
) -> tuple[Sequence[Match], int | None]:
    """`top_k` of the ordered matches from `offset`, and where the next page begins, if any."""
    end = offset + top_k
    return matches[offset:end], end if len(matches) > end else None
