"""POST /search/: photos that show the person on a selfie."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from edge.backend import Backend
from edge.facts import caller_of
from edge.keys import Scope
from edge.metrics import EdgeMetrics
from edge.openapi import COLLECTION_IDS, multipart_of, problems_of
from edge.parameters import Parameter, threshold, whole_number
from edge.routes.incoming import json_answer, read_request
from edge.schemas.parts import BoxAnswer, ModelAnswer, QualityAnswer, turn_of
from edge.schemas.search import MatchAnswer, MatchFace, ProbeAnswer, SearchAnswer, TookAnswer
from edge.settings import EdgeSettings
from edge.use_cases.model import SearchPage, SearchQuery

DEFAULT_TOP_K = 10
MAX_OFFSET = 1_000_000


def search_routes(backend: Backend, settings: EdgeSettings, metrics: EdgeMetrics) -> APIRouter:
    """The search."""
    router = APIRouter(tags=["search"])
    top_k: Parameter[int] = Parameter(
        "top_k",
        "How many photos at most.",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": settings.max_top_k,
            "default": min(DEFAULT_TOP_K, settings.max_top_k),
        },
        whole_number(1, settings.max_top_k),
    )
    score_threshold: Parameter[float | None] = Parameter(
        "score_threshold",
        "The least cosine similarity of a match; `recommended` takes the pack's own figure for "
        "one false match in 10,000.",
        {
            "anyOf": [
                {"type": "number", "minimum": -1, "maximum": 1},
                {"type": "string", "enum": ["recommended"]},
            ],
            "default": settings.score_threshold,
        },
        threshold,
    )
    offset: Parameter[int] = Parameter(
        "offset",
        "How many photos to pass over; the pages are cut from one order.",
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        whole_number(0, MAX_OFFSET),
    )
    parameters = (top_k, score_threshold, offset, COLLECTION_IDS)

    @router.post(
        "/search/",
        operation_id="search",
        summary="Photos that show the person on a selfie",
        response_model=SearchAnswer,
        responses=problems_of(
            "collection_needed",
            "invalid_image_format",
            "no_faces_detected",
            "too_many_faces",
            "embedding_space_mismatch",
            "inference_unavailable",
            "vectors_unavailable",
        ),
        openapi_extra={
            "security": [{"key": []}],
            "requestBody": multipart_of(
                parameters, image="The selfie: JPEG, PNG or WebP, one face that counts."
            ),
        },
    )
    async def search(request: Request) -> Response:
        """One row per photo, by its most similar face; most similar first.

        The selfie must show one face that counts: its longer side at least 5 % of the picture's,
        three quarters of it inside.
        """
        caller_of(request.scope).require(Scope.SEARCH)
        incoming = await read_request(
            request,
            parameters,
            field_bytes=settings.max_field_bytes,
            image_bytes=settings.max_search_bytes,
        )
        values = incoming.values
        named = COLLECTION_IDS.many(values)
        threshold = score_threshold.one(values, settings.score_threshold)
        if threshold is None:
            threshold = await backend.services.search.recommended_threshold()
        incoming.facts.effective["score_threshold"] = threshold
        query = SearchQuery(
            top_k=top_k.one(values, min(DEFAULT_TOP_K, settings.max_top_k)),
            offset=offset.one(values, 0),
            score_threshold=threshold,
            collections=incoming.caller.within(frozenset(named) if named else None),
        )
        page = await backend.services.search(incoming.image, query)
        incoming.facts.stage_seconds["vectors"] = page.vectors_seconds
        incoming.facts.counts["results"] = len(page.matches)
        metrics.search_results.observe(len(page.matches))
        return json_answer(
            _answer(page, query, incoming.facts.request_id, incoming.facts.elapsed_seconds)
        )

    return router


def _answer(
    page: SearchPage, query: SearchQuery, request_id: str, elapsed_seconds: float
) -> SearchAnswer:
    return SearchAnswer(
        results=[
            MatchAnswer(
                photo_id=match.photo.photo_id,
                collection_id=match.photo.collection_id,
                score=round(match.score, 4),
                face=MatchFace(face_id=match.face_id, bbox=BoxAnswer.of(match.box)),
            )
            for match in page.matches
        ],
        top_k=query.top_k,
        offset=query.offset,
        next_offset=page.next_offset,
        score_threshold=page.score_threshold,
        query=ProbeAnswer(
            bbox=BoxAnswer.of(page.probe.face.box),
            detection_score=round(page.probe.face.detection_score, 4),
            quality=QualityAnswer.of(page.probe.face.quality),
            turn=turn_of(page.probe.face.quality),
            faces_found=page.faces_found,
        ),
        model=ModelAnswer(pack=page.model.pack, version=page.model.version),
        took_ms=TookAnswer(
            total=round(elapsed_seconds * 1000, 1),
            inference=round(page.inference_seconds * 1000, 1),
            vectors=round(page.vectors_seconds * 1000, 1),
        ),
        request_id=request_id,
    )
