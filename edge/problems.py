"""Errors as `application/problem+json` (RFC 9457): one table from exceptions to answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from edge import errors as edge
from edge.facts import facts_of
from storage import errors as storage
from storage.records.model import Box

MEDIA_TYPE = "application/problem+json"
DOCS = "/docs#"
"""The page that every edge serves says what each code means."""
_RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: what a client can tell apart."""

    status: int
    code: str
    title: str
    detail: str = ""
    """Said instead of the exception's own words, where those could name a host or a driver."""
    is_temporary: bool = False
    """Whether the answer carries Retry-After."""


INTERNAL = Kind(
    500,
    "internal",
    "Internal error",
    "This is a bug. Report it with the request id; the server's log has the rest.",
)
NOT_FOUND = Kind(
    404,
    "not_found",
    "No such path",
    "There is nothing at this path; /docs lists what there is. "
    "A slash in a photo_id is written %2F in a path.",
)
METHOD_NOT_ALLOWED = Kind(
    405,
    "method_not_allowed",
    "No such method here",
    "This path takes other methods; the Allow header lists them.",
)

# An exception takes the first entry that fits, so a subclass stands before its base.
KINDS: tuple[tuple[type[Exception], Kind], ...] = (
    (edge.InvalidParameter, Kind(400, "invalid_parameter", "Invalid parameter")),
    (edge.Unauthorized, Kind(401, "unauthorized", "No valid key")),
    (edge.Forbidden, Kind(403, "forbidden", "The key may not do this")),
    (edge.AmbiguousPhoto, Kind(409, "ambiguous_photo", "The photo is in several collections")),
    (edge.NoFacesDetected, Kind(422, "no_faces_detected", "No face found")),
    (edge.TooManyFaces, Kind(422, "too_many_faces", "More than one face found")),
    (edge.LowQuality, Kind(422, "low_quality", "The face is too poor to be compared")),
    (edge.InvalidImage, Kind(415, "invalid_image_format", "Not an image that can be read")),
    (edge.ImageTooLarge, Kind(413, "image_too_large", "The image is too large")),
    (
        edge.InferenceUnavailable,
        Kind(
            503,
            "inference_unavailable",
            "Inference is away",
            "The inference service does not answer at the moment; send the request again.",
            is_temporary=True,
        ),
    ),
    (edge.Overloaded, Kind(429, "overloaded", "Too many requests at once", is_temporary=True)),
    (edge.DeadlineExceeded, Kind(504, "deadline_exceeded", "The deadline of the request passed")),
    (
        edge.AuditUnavailable,
        Kind(
            503,
            "audit_unavailable",
            "The audit log cannot be written",
            "Nothing is written or removed while the audit log cannot tell of it; nothing of this "
            "request was done. Send it again once the operator has made room for the log.",
            is_temporary=True,
        ),
    ),
    (
        storage.VectorsUnavailable,
        Kind(
            503,
            "vectors_unavailable",
            "The vector store is away",
            "The vector store does not answer at the moment; send the request again.",
            is_temporary=True,
        ),
    ),
    (
        storage.RecordsUnavailable,
        Kind(
            503,
            "records_unavailable",
            "The records are away",
            "The records database does not answer at the moment; send the request again.",
            is_temporary=True,
        ),
    ),
    (
        storage.PhotosUnavailable,
        Kind(
            503,
            "photos_unavailable",
            "The photo store is away",
            "The photo store does not answer at the moment; send the request again.",
            is_temporary=True,
        ),
    ),
    (
        storage.StorageFull,
        Kind(
            503,
            "storage_full",
            "No room left",
            "There is no room to store this; nothing of it was kept. "
            "Free some space on the server and send the request again.",
            is_temporary=True,
        ),
    ),
    (
        storage.RevisionGone,
        Kind(
            503,
            "records_unavailable",
            "The photo changed meanwhile",
            "The photo was removed or replaced while this request was writing it; "
            "send the request again if it is still wanted.",
            is_temporary=True,
        ),
    ),
    (
        storage.EmbeddingSpaceMismatch,
        Kind(409, "embedding_space_mismatch", "The base was made by another model"),
    ),
    (
        storage.CollectionNeeded,
        Kind(
            400,
            "collection_needed",
            "Name a collection",
            "Each collection of this base is indexed by itself: name one or several as "
            "collection_id.",
        ),
    ),
    (
        storage.AlreadyExists,
        Kind(
            412,
            "already_exists",
            "The photo is there already",
            "A photo of this name is in the base, and If-None-Match: * asks not to replace it. "
            "Leave the header out to replace it.",
        ),
    ),
    (
        storage.PhotoNotFound,
        Kind(
            404,
            "photo_not_found",
            "No such photo",
            "No photo of this photo_id is there (in this collection, if one was named); "
            "GET /embed_status/ lists what is.",
        ),
    ),
    (
        storage.FaceNotFound,
        Kind(
            404,
            "face_not_found",
            "No such face",
            "No face of this face_id is there; POST /detect_faces/ answers with face ids, "
            "and they go with their photo.",
        ),
    ),
)

REINDEX = (
    "Start inference with the pack that made the base (--pack NAME). To change the base to the "
    "other pack, run `facesearch reindex` while the service runs with its own."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as it goes out."""

    kind: Kind
    detail: str
    extras: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def kind_of(error: Exception) -> Kind:
    """The kind of problem an exception is; INTERNAL for one that nobody meant to raise."""
    if isinstance(error, HTTPException):
        return {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}.get(error.status_code, INTERNAL)
    return next((kind for raised, kind in KINDS if isinstance(error, raised)), INTERNAL)


def problem_of(error: Exception) -> Problem:
    """What to answer to an exception."""
    kind = kind_of(error)
    headers: dict[str, str] = {}
    extras: dict[str, object] = {}
    detail = kind.detail or str(error)
    if kind.is_temporary:
        seconds = getattr(error, "retry_after_seconds", _RETRY_AFTER_SECONDS)
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    match error:
        case edge.InvalidParameter():
            extras["errors"] = [{"field": error.field, "message": error.message}]
        case edge.AmbiguousPhoto():
            extras["collections"] = list(error.collections)
        case edge.FacesError():
            extras["faces"] = faces_found(error.boxes)
        case storage.EmbeddingSpaceMismatch():
            detail = f"The base holds {error.found}; inference runs {error.wanted}. {REINDEX}"
        case edge.Unauthorized():
            headers["WWW-Authenticate"] = 'ApiKey realm="facesearch"'
        case HTTPException():
            headers.update(error.headers or {})
        case _:
            pass
    return Problem(kind, detail, extras, headers)


def faces_found(boxes: Sequence[Box]) -> dict[str, object]:
    """How many faces were found and where, in pixels of the photo frame."""
    return {
        "count": len(boxes),
        "boxes": [
            {
                "x": round(box.x, 1),
                "y": round(box.y, 1),
                "width": round(box.width, 1),
                "height": round(box.height, 1),
            }
            for box in boxes
        ],
    }


def response_to(problem: Problem, scope: Scope) -> Response:
    """The answer; notes its code in the facts of the request."""
    facts = facts_of(scope)
    facts.code = problem.kind.code
    body = {
        "type": DOCS + problem.kind.code,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "code": problem.kind.code,
        "request_id": facts.request_id,
        **facts.effective,
        **problem.extras,
    }
    # The C0 range is escaped by JSON, and a lone surrogate must not break the encoding.
    content = json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()
    return Response(content, problem.kind.status, dict(problem.headers), media_type=MEDIA_TYPE)


def kinds() -> list[Kind]:
    """Every kind of problem, by status and code."""
    every = {
        kind.code: kind for kind in (*dict(KINDS).values(), NOT_FOUND, METHOD_NOT_ALLOWED, INTERNAL)
    }
    return sorted(every.values(), key=lambda kind: (kind.status, kind.code))
