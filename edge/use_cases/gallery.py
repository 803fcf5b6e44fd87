"""The exact per-photo search: rows of faces in, the first so many photos out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from edge.use_cases.grouping import best_face_per_photo, place_of
from edge.use_cases.model import Match
from storage.identity import PhotoKey, SpaceId
from storage.records.model import FaceState
from storage.records.port import RecordStore
from storage.vectors.port import MAX_LIMIT, Collections, Embedding, FaceVector, Hit, VectorStore
from storage.vectors.ranking import exact_scores

# Rows asked for per photo wanted. Most photos of one person show one face above the threshold, so
# one round is the rule; more rows cost more than a second round now and then.
_ROWS_PER_PHOTO = 4
# A filter naming more photos than this costs an engine more than the rows it saves.
_MAX_EXCLUDED = 256
# A photo that is replaced that often during one search is left to the next.
_SETTLE_TRIES = 3


class Gallery:
    """Who is on the photos of one embedding space.

    Rows come most similar first, so the rows seen are the head of the whole order, and so are the
    photos they show: once enough photos stand before the last row, no unseen row can change the
    answer. Rows that the records do not show count for nothing, wherever they stand.
    """

    def __init__(
        self, vectors: VectorStore, records: RecordStore, max_rows: int = MAX_LIMIT
    ) -> None:
        """`max_rows`: the most rows to ask for at once, 1 to MAX_LIMIT."""
        self._vectors = vectors
        self._records = records
        self._max_rows = max_rows

    async def nearest(
        self,
        space: SpaceId,
        probe: Embedding,
        *,
        within: Collections,
        wanted: int,
        minimum_score: float,
    ) -> Sequence[Match]:
        """The `wanted` photos with the most similar face, in order; fewer if there are no more.

        Only photos with a visible face of score >= minimum_score.
        """
        found: dict[PhotoKey, Match] = {}
        settled: set[PhotoKey] = set()
        passed_over: set[PhotoKey] = set()
        rows = min(wanted * _ROWS_PER_PHOTO, self._max_rows)
        while True:
            hits = await self._vectors.search(
                space,
                probe,
                within=within,
                limit=rows,
                minimum_score=minimum_score,
                excluding=sorted(passed_over),
            )
            found |= await self._visible(space, hits)
            stale = {hit.photo for hit in hits} - found.keys() - settled
            found |= await self._settle(space, probe, stale, minimum_score)
            settled |= stale

            ranked = sorted(found.values(), key=place_of)
            if len(hits) < rows or _is_certain(ranked, wanted, hits[-1]):
                return ranked[:wanted]
            # Of every photo met so far the best face is known, if it has one to show. So there is
            # nothing to learn from its other faces, be they thousands.
            met = found.keys() | settled
            if rows == self._max_rows or len(met) <= _MAX_EXCLUDED:
                passed_over = met
            rows = min(rows * 2, self._max_rows)

    async def _visible(self, space: SpaceId, hits: Sequence[Hit]) -> dict[PhotoKey, Match]:
        if not hits:
            return {}
        visible = await self._records.visible(space, [hit.face_id for hit in hits])
        return best_face_per_photo(hits, visible)

    async def _settle(
        self, space: SpaceId, probe: Embedding, stale: Collection[PhotoKey], minimum_score: float
    ) -> dict[PhotoKey, Match]:
        """The matches of photos of which only invisible rows were met, looked up one by one.

        Such rows are left from removed photos, which are in no result; or from the former bytes of
        a photo, whose present faces stand further down, or were added after the rows were read: a
        photo that is being replaced is found before, during and after.
        """
        matches: dict[PhotoKey, Match] = {}
        for _ in range(_SETTLE_TRIES):
            if not stale:
                break
            visible = {
                face.face_id: (photo.revision.photo, face)
                for photo in await self._records.live_photos(sorted(stale))
                for face in photo.faces
                if face.state is FaceState.INDEXED
            }
            stored = await self._vectors.fetch(space, sorted(visible)) if visible else ()
            boxes = {face_id: face.seen.box for face_id, (_, face) in visible.items()}
            hits = [hit for hit in _hits(stored, probe) if hit.score >= minimum_score]
            matches |= best_face_per_photo(hits, boxes)
            # Replaced once more between the two lines above, and swept already.
            gone = visible.keys() - {face.face_id for face in stored}
            stale = {visible[face_id][0] for face_id in gone}
        return matches


def _hits(faces: Sequence[FaceVector], probe: Embedding) -> Sequence[Hit]:
    if not faces:
        return ()
    scores = exact_scores(np.stack([face.embedding for face in faces]), probe)
    return [
        Hit(face.face_id, face.photo, face.revision, score)
        for face, score in zip(faces, scores.tolist(), strict=True)
    ]


def _is_certain(ranked: Sequence[Match], wanted: int, last: Hit) -> bool:
    """Whether the first `wanted` stand where no row after the last one seen can get between."""
    return len(ranked) >= wanted and place_of(ranked[wanted - 1]) <= place_of(last)
