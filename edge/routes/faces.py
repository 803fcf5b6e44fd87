"""POST /detect_faces/ and PUT /add_face/: a photo in two steps, face by face."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from edge.backend import Backend
from edge.errors import InvalidParameter
from edge.facts import caller_of
from edge.keys import Caller, Scope
from edge.metrics import EdgeMetrics
from edge.openapi import COLLECTION_ID, ONE_OF_COLLECTION_ID, PHOTO_ID, multipart_of, problems_of
from edge.parameters import Parameter, box, flag
from edge.routes.incoming import json_answer, read_request
from edge.schemas.parts import BoxAnswer, FaceAnswer, ModelAnswer
from edge.schemas.photos import AddFaceAnswer, DetectAnswer
from edge.settings import EdgeSettings
from edge.use_cases.digest import sha256_of
from edge.use_cases.model import Detection, Enrolment, FaceAdded
from edge.use_cases.quality import QualityRule
from storage.identity import NO_COLLECTION, PhotoKey
from storage.records.model import Box, FaceState


def _face_id(text: str) -> str:
    if not 1 <= len(text) <= 128:
        raise ValueError("must have 1 to 128 characters")
    return text


FACE_ID: Parameter[str] = Parameter(
    "face_id",
    "The face, as /detect_faces/ named it. Or name photo_id and bbox.",
    {"type": "string", "minLength": 1, "maxLength": 128},
    _face_id,
)
BBOX: Parameter[Box] = Parameter(
    "bbox",
    'Where the face is on the photo, in pixels: "x,y,width,height", or the JSON object with these '
    "names. Taken is the detection that overlaps it most (IoU of 0.3 or more).",
    {"type": "string", "examples": ["812,501,320,411"]},
    box,
)
KEEP: Parameter[bool] = Parameter(
    "keep",
    "false: answer without keeping anything.",
    {"type": "boolean", "default": True},
    flag,
)
_DETECT = (PHOTO_ID, COLLECTION_ID, KEEP)
_ADD = (FACE_ID, PHOTO_ID, BBOX, ONE_OF_COLLECTION_ID)


def face_routes(backend: Backend, settings: EdgeSettings, metrics: EdgeMetrics) -> APIRouter:
    """Detection, and the addition of single faces."""
    router = APIRouter(tags=["faces"])

    @router.post(
        "/detect_faces/",
        operation_id="detect_faces",
        summary="The faces of a photo, kept for /add_face/",
        response_model=DetectAnswer,
        responses=problems_of(
            "invalid_image_format", "inference_unavailable", "photos_unavailable", "storage_full"
        ),
        openapi_extra={
            "security": [{"key": []}],
            "requestBody": multipart_of(_DETECT, image="The photo: JPEG, PNG or WebP."),
        },
    )
    async def detect_faces(request: Request) -> Response:
        """Faces are ordered by size, largest first; a photo without any is answered too.

        The photo can be found only after a face of it was added. `photo_id` is, by default,
        `sha256-` and 32 hex digits of the bytes.
        """
        caller = caller_of(request.scope)
        _require_any(caller, Scope.ENROL, Scope.SEARCH)
        incoming = await read_request(
            request,
            _DETECT,
            field_bytes=settings.max_field_bytes,
            image_bytes=settings.max_enrol_bytes,
        )
        keep = KEEP.one(incoming.values, default=True)
        named = COLLECTION_ID.optional(incoming.values)
        caller.require(Scope.ENROL if keep else Scope.SEARCH)
        if keep or named:
            caller.require_collection(named)
        image = incoming.image
        photo_id = PHOTO_ID.optional(incoming.values)
        photo = PhotoKey(
            named or NO_COLLECTION, photo_id or f"sha256-{(await sha256_of(image))[:32]}"
        )
        if keep:
            enrolment = await backend.services.detect(photo, image)
            answer = _kept(enrolment, settings.quality_rule, incoming.facts.request_id)
        else:
            detection = await backend.services.detect.preview(photo, image)
            answer = _seen(detection, settings.quality_rule, incoming.facts.request_id)
        incoming.facts.counts["faces"] = len(answer.faces)
        metrics.faces_detected.inc(len(answer.faces))
        return json_answer(answer)

    @router.put(
        "/add_face/",
        operation_id="add_face",
        summary="Make one face of a photo searchable",
        response_model=AddFaceAnswer,
        responses=problems_of(
            "face_not_found",
            "photo_not_found",
            "ambiguous_photo",
            "embedding_space_mismatch",
            "no_faces_detected",
            "low_quality",
            "invalid_image_format",
            "inference_unavailable",
            "vectors_unavailable",
            "photos_unavailable",
            "storage_full",
        ),
        openapi_extra={
            "security": [{"key": []}],
            "requestBody": multipart_of(_ADD, is_required=False),
        },
    )
    async def add_face(request: Request) -> Response:
        """By `face_id`, or by `photo_id` and `bbox`.

        Another `collection_id` than the photo's puts the photo into that collection too.
        """
        caller_of(request.scope).require(Scope.ENROL)
        incoming = await read_request(request, _ADD, field_bytes=settings.max_field_bytes)
        values, allowed = incoming.values, incoming.caller.collections
        collection_id = ONE_OF_COLLECTION_ID.optional(values)
        face_id, photo_id = FACE_ID.optional(values), PHOTO_ID.optional(values)
        region = BBOX.optional(values)
        if collection_id is not None:
            incoming.caller.require_collection(collection_id)
        if face_id is not None and photo_id is None and region is None:
            added = await backend.services.add_face.by_face(face_id, collection_id, allowed)
        elif face_id is None and photo_id is not None and region is not None:
            added = await backend.services.add_face.by_box(photo_id, region, collection_id, allowed)
        else:
            raise InvalidParameter("face_id", "send either face_id alone, or photo_id and bbox")
        metrics.faces_indexed.inc(1 if added.created else 0)
        return json_answer(_added(added, incoming.facts.request_id))

    return router


def _require_any(caller: Caller, first: Scope, second: Scope) -> None:
    # Which of the two is needed is known once the form is read; without both nothing need be read.
    if second not in caller.scopes:
        caller.require(first)


def _kept(enrolment: Enrolment, rule: QualityRule, request_id: str) -> DetectAnswer:
    revision = enrolment.photo.revision
    return DetectAnswer(
        photo_id=revision.photo.photo_id,
        collection_id=revision.photo.collection_id,
        width=revision.width,
        height=revision.height,
        faces=[FaceAnswer.of(face, rule) for face in enrolment.photo.faces],
        min_quality=rule.min_quality,
        model=ModelAnswer(pack=enrolment.model.pack, version=enrolment.model.version),
        request_id=request_id,
    )


def _seen(detection: Detection, rule: QualityRule, request_id: str) -> DetectAnswer:
    seen = detection.seen
    return DetectAnswer(
        photo_id=detection.photo.photo_id,
        collection_id=detection.photo.collection_id,
        width=seen.width,
        height=seen.height,
        faces=[FaceAnswer.of_seen(face.face, rule) for face in seen.faces],
        min_quality=rule.min_quality,
        model=ModelAnswer(pack=seen.model.pack, version=seen.model.version),
        request_id=request_id,
    )


def _added(added: FaceAdded, request_id: str) -> AddFaceAnswer:
    return AddFaceAnswer(
        face_id=added.face.face_id,
        photo_id=added.photo.photo_id,
        collection_id=added.photo.collection_id,
        bbox=BoxAnswer.of(added.face.seen.box),
        status=FaceState.INDEXED,
        created=added.created,
        model=ModelAnswer(pack=added.model.pack, version=added.model.version),
        request_id=request_id,
    )
