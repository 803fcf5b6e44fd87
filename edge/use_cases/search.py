"""Selfie in, photos out (POST /search/)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from edge.errors import InvalidParameter, NoFacesDetected, TooManyFaces
from edge.use_cases.digest import sha256_of
from edge.use_cases.gallery import Gallery
from edge.use_cases.grouping import page_of
from edge.use_cases.model import (
    Counting,
    Embed,
    FaceAnalyzer,
    FacesPolicy,
    LookPolicy,
    Match,
    SearchPage,
    SearchQuery,
    SeenPhoto,
)
from edge.use_cases.probes import Probe, ProbeCache
from edge.use_cases.spaces import Spaces
from storage.errors import EmbeddingSpaceMismatch
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore

# `score_threshold=recommended`: one stranger in 10,000 comparisons passes.
RECOMMENDED_FALSE_MATCH_RATE = 1e-4

# API.md: faces below 0.8 of the largest, or detected below 0.7, do not count.
_PROMINENT = Counting(prominent_fraction=0.8, prominent_score=0.7)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How a selfie is read."""

    faces: FacesPolicy = FacesPolicy.EVERY
    look: LookPolicy = LookPolicy.EARLY_STOP
    cached_probes: int = 1_024
    """About 3 KB each."""
    cached_seconds: float = 60.0


class SearchPhotos:
    """Photos that show the person on a selfie, each once, most similar first."""

    def __init__(
        self,
        faces: FaceAnalyzer,
        vectors: VectorStore,
        records: RecordStore,
        settings: SearchSettings | None = None,
        *,
        spaces: Spaces | None = None,
    ) -> None:
        self._faces = faces
        self._settings = settings or SearchSettings()
        self._gallery = Gallery(vectors, records)
        self._spaces = spaces or Spaces(vectors, records)
        self._probes = ProbeCache(self._settings.cached_probes, self._settings.cached_seconds)

    async def __call__(self, selfie: bytes, query: SearchQuery) -> SearchPage:
        """One page of the photos of this person.

        Raises NoFacesDetected, TooManyFaces, EmbeddingSpaceMismatch, whatever the analyzer and the
        stores raise.
        """
        started = time.perf_counter()
        sha256 = await sha256_of(selfie)
        known = self._probes.get(sha256)
        probe = known or await self._read(selfie)
        inference_seconds = time.perf_counter() - started

        started = time.perf_counter()
        try:
            is_searchable = await self._spaces.for_search(probe.model)
        except EmbeddingSpaceMismatch as error:
            self._probes.drop(sha256)  # inference may be back with the right pack
            await self._spaces.require_change(error, self._faces)
            known, probe = None, await self._read(selfie)
            is_searchable = await self._spaces.for_search(probe.model)
        if known is None:
            self._probes.put(sha256, probe)
        found = await self._search(probe, query) if is_searchable else []
        matches, next_offset = page_of(found, offset=query.offset, top_k=query.top_k)
        return SearchPage(
            matches=matches,
            next_offset=next_offset,
            score_threshold=query.score_threshold,
            probe=probe.face,
            faces_found=probe.faces_found,
            model=probe.model,
            inference_seconds=inference_seconds,
            vectors_seconds=time.perf_counter() - started,
        )

    async def _read(self, selfie: bytes) -> Probe:
        policy = self._settings.faces
        seen = await self._faces.analyze(
            selfie,
            look=self._settings.look,
            embed=Embed.LARGEST if policy is FacesPolicy.LARGEST else Embed.SINGLE,
            counting=_PROMINENT if policy is FacesPolicy.PROMINENT else Counting(),
        )
        return the_one_face(seen, policy)

    async def recommended_threshold(self) -> float:
        """The pack's own figure (`score_threshold=recommended`).

        Raises InvalidParameter if it has none, whatever the analyzer raises.
        """
        recommended = await self._faces.recommended_threshold(RECOMMENDED_FALSE_MATCH_RATE)
        if recommended is None:
            raise InvalidParameter(
                "score_threshold", "the pack that is loaded recommends none; give a number"
            )
        return recommended

    async def _search(self, probe: Probe, query: SearchQuery) -> Sequence[Match]:
        return await self._gallery.nearest(
            probe.model.space_id,
            probe.embedding,
            within=query.collections,
            wanted=query.offset + query.top_k + 1,  # one more says whether there is a next page
            minimum_score=query.score_threshold,
        )


def the_one_face(seen: SeenPhoto, policy: FacesPolicy) -> Probe:
    """The face to search with. Raises NoFacesDetected or TooManyFaces."""
    counted = [face for face in seen.faces if face.counts]
    if not counted:
        raise NoFacesDetected(
            "no face was found that is large enough; send a photo that shows the face closer"
            if seen.faces
            else "no face was found; send a photo that shows the face"
        )
    if len(counted) > 1 and policy is not FacesPolicy.LARGEST:
        raise TooManyFaces(
            f"{len(counted)} faces were found; send a photo of one person, or cut it out",
            [face.face.box for face in counted],
        )
    for face in counted:
        if face.embedding is not None:
            return Probe(face, face.embedding, faces_found=len(counted), model=seen.model)
    raise RuntimeError("inference embedded none of the faces that count")
