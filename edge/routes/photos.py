"""/photos/: a photo put in with one call, its record, its bytes."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from edge.backend import Backend
from edge.errors import InvalidParameter
from edge.facts import caller_of
from edge.keys import Scope
from edge.metrics import EdgeMetrics
from edge.openapi import (
    COLLECTION_ID,
    ONE_OF_COLLECTION_ID,
    PHOTO_ID,
    multipart_of,
    path_of,
    problems_of,
    query_of,
)
from edge.parameters import path_identifier
from edge.routes.incoming import Incoming, json_answer, read_request
from edge.schemas.parts import FaceAnswer, ModelAnswer
from edge.schemas.photos import PhotoAnswer, PutPhotoAnswer, RefusedFace
from edge.settings import EdgeSettings
from edge.use_cases.model import Enrolment
from edge.use_cases.quality import QualityRule
from storage.identity import NO_COLLECTION, PhotoKey
from storage.records.model import Face, FaceState

_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`*`: do not replace a photo that is there (412).",
    "schema": {"type": "string", "enum": ["*"]},
}
_PUT_PROBLEMS = problems_of(
    "already_exists",
    "invalid_image_format",
    "embedding_space_mismatch",
    "inference_unavailable",
    "vectors_unavailable",
    "photos_unavailable",
    "storage_full",
)
_GET_PROBLEMS = problems_of("photo_not_found", "ambiguous_photo")
_IMAGE_PROBLEMS = problems_of("photo_not_found", "ambiguous_photo", "photos_unavailable")
_IMAGE_ANSWER: dict[int | str, dict[str, object]] = {
    200: {
        "description": "The bytes as they came.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
        },
    }
}
_BY_QUERY = [*query_of([PHOTO_ID], required=True), *query_of([ONE_OF_COLLECTION_ID])]
_BY_PATH = [path_of(), *query_of([ONE_OF_COLLECTION_ID])]


def photo_routes(backend: Backend, settings: EdgeSettings, metrics: EdgeMetrics) -> APIRouter:
    """Photos by name, the name in the path or in the query."""
    router = APIRouter(tags=["photos"])
    rule = settings.quality_rule

    @router.put(
        "/photos/{photo_id}",
        operation_id="put_photo",
        summary="Put a photo and all its faces into the base",
        response_model=PutPhotoAnswer,
        responses=_PUT_PROBLEMS,
        openapi_extra={
            "security": [{"key": []}],
            "parameters": [path_of(), _IF_NONE_MATCH],
            "requestBody": multipart_of([COLLECTION_ID], image="The photo: JPEG, PNG or WebP."),
        },
    )
    @router.put(
        "/photos/",
        operation_id="put_photo_by_query",
        summary="Put a photo into the base, its name not in the path",
        response_model=PutPhotoAnswer,
        responses=_PUT_PROBLEMS,
        openapi_extra={
            "security": [{"key": []}],
            "parameters": [*query_of([PHOTO_ID], required=True), _IF_NONE_MATCH],
            "requestBody": multipart_of([COLLECTION_ID], image="The photo: JPEG, PNG or WebP."),
        },
    )
    async def put_photo(request: Request) -> Response:
        """What was there under this name is replaced whole; the same bytes change nothing."""
        caller_of(request.scope).require(Scope.ENROL)
        replace = not _refuses_to_replace(request)
        incoming = await read_request(
            request,
            (COLLECTION_ID,) if "photo_id" in request.path_params else (PHOTO_ID, COLLECTION_ID),
            field_bytes=settings.max_field_bytes,
            image_bytes=settings.max_enrol_bytes,
        )
        photo_id = _name(request, incoming)
        collection_id = COLLECTION_ID.one(incoming.values, NO_COLLECTION)
        incoming.caller.require_collection(collection_id)
        enrolment = await backend.services.enrol(
            PhotoKey(collection_id, photo_id), incoming.image, replace=replace
        )
        incoming.facts.counts["faces"] = len(enrolment.photo.faces)
        if enrolment.created:
            metrics.photos_enrolled.inc()
            _count_faces(enrolment.photo.faces, rule, metrics)
        return json_answer(_put_answer(enrolment, rule, incoming.facts.request_id))

    # Not in the document: there it would hide that a photo may be named "image".
    @router.get("/photos/image", include_in_schema=False)
    async def get_image_by_query(request: Request) -> Response:
        """Without `photo_id` in the query this is the record of the photo named `image`."""
        caller_of(request.scope).require(Scope.SEARCH)
        incoming = await read_request(
            request, (PHOTO_ID, ONE_OF_COLLECTION_ID), field_bytes=settings.max_field_bytes
        )
        photo_id = PHOTO_ID.optional(incoming.values)
        if photo_id is None:
            return await _record(incoming, "image")
        return await _image(incoming, photo_id)

    @router.get(
        "/photos/{photo_id}/image",
        operation_id="get_image",
        summary="The bytes of a photo",
        response_class=Response,
        responses={**_IMAGE_ANSWER, **_IMAGE_PROBLEMS},
        openapi_extra={"security": [{"key": []}], "parameters": _BY_PATH},
    )
    async def get_image(request: Request) -> Response:
        """As they came. `GET /photos/image?photo_id=` answers likewise."""
        caller_of(request.scope).require(Scope.SEARCH)
        incoming = await read_request(
            request, (ONE_OF_COLLECTION_ID,), field_bytes=settings.max_field_bytes
        )
        return await _image(incoming, _name(request, incoming))

    @router.get(
        "/photos/{photo_id}",
        operation_id="get_photo",
        summary="The record of a photo with its faces",
        response_model=PhotoAnswer,
        responses=_GET_PROBLEMS,
        openapi_extra={"security": [{"key": []}], "parameters": _BY_PATH},
    )
    @router.get(
        "/photos/",
        operation_id="get_photo_by_query",
        summary="The record of a photo, its name not in the path",
        response_model=PhotoAnswer,
        responses=_GET_PROBLEMS,
        openapi_extra={"security": [{"key": []}], "parameters": _BY_QUERY},
    )
    async def get_photo(request: Request) -> Response:
        """The photo that is indexed; if there is none, the one that was detected."""
        caller_of(request.scope).require(Scope.SEARCH)
        known = (
            (ONE_OF_COLLECTION_ID,)
            if "photo_id" in request.path_params
            else (PHOTO_ID, ONE_OF_COLLECTION_ID)
        )
        incoming = await read_request(request, known, field_bytes=settings.max_field_bytes)
        return await _record(incoming, _name(request, incoming))

    async def _record(incoming: Incoming, photo_id: str) -> Response:
        photo = await backend.services.read.photo(
            photo_id,
            ONE_OF_COLLECTION_ID.optional(incoming.values),
            incoming.caller.collections,
        )
        return json_answer(PhotoAnswer.of(photo, rule, incoming.facts.request_id))

    async def _image(incoming: Incoming, photo_id: str) -> Response:
        data = await backend.services.read.image(
            photo_id,
            ONE_OF_COLLECTION_ID.optional(incoming.values),
            incoming.caller.collections,
        )
        return Response(
            data,
            media_type=_media_type(data),
            # Strangers' bytes: a browser shows them as what we say, and runs nothing in them.
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cache-Control": "private, no-cache",
            },
        )

    return router


def _name(request: Request, incoming: Incoming) -> str:
    """The photo_id, of the path or else of form and query."""
    if "photo_id" in request.path_params:
        return path_identifier("photo_id", request.path_params["photo_id"])
    photo_id = PHOTO_ID.optional(incoming.values)
    if photo_id is None:
        raise InvalidParameter("photo_id", "is missing; name the photo in the path or the query")
    return photo_id


def _refuses_to_replace(request: Request) -> bool:
    match request.headers.get("if-none-match"):
        case None:
            return False
        case "*":
            return True
        case _:
            raise InvalidParameter("If-None-Match", "only * is understood; photos have no ETag")


def _count_faces(faces: Sequence[Face], rule: QualityRule, metrics: EdgeMetrics) -> None:
    poor = sum(rule.is_low(face.seen.quality) for face in faces)
    metrics.faces_of_low_quality.labels(rule.policy).inc(poor)
    metrics.faces_indexed.inc(sum(face.state is FaceState.INDEXED for face in faces))


def _put_answer(enrolment: Enrolment, rule: QualityRule, request_id: str) -> PutPhotoAnswer:
    revision = enrolment.photo.revision
    return PutPhotoAnswer(
        photo_id=revision.photo.photo_id,
        collection_id=revision.photo.collection_id,
        width=revision.width,
        height=revision.height,
        faces=[FaceAnswer.of(face, rule) for face in enrolment.photo.faces],
        min_quality=rule.min_quality,
        model=ModelAnswer(pack=enrolment.model.pack, version=enrolment.model.version),
        request_id=request_id,
        status=enrolment.photo.status,
        refused=[
            RefusedFace(
                face_id=face.face_id,
                reason="low_quality",
                detail=rule.reason(face.seen.quality),
            )
            for face in enrolment.photo.faces
            if rule.is_refused(face.seen.quality)
        ],
        created=enrolment.created,
    )


def _media_type(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "application/octet-stream"
