"""/embed_status/, /remove/ and /remove_all/: what is in the base, and out of it again."""

from __future__ import annotations

import base64
import binascii
import json

from fastapi import APIRouter, Request, Response

from edge.backend import Backend
from edge.errors import Forbidden, InvalidParameter
from edge.facts import caller_of
from edge.keys import Scope
from edge.openapi import (
    COLLECTION_IDS,
    ONE_OF_COLLECTION_ID,
    PHOTO_ID,
    path_of,
    problems_of,
    query_of,
)
from edge.parameters import Parameter, collection, path_identifier, whole_number
from edge.routes.incoming import json_answer, read_request
from edge.schemas.photos import RemoveAllAnswer, RemoveAnswer, StatusAnswer, StatusItem
from edge.settings import EdgeSettings
from storage.identity import PhotoKey
from storage.records.model import PhotoFilter, PhotoStatus

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


def _status(text: str) -> PhotoStatus:
    try:
        return PhotoStatus(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(PhotoStatus)}") from None


def cursor_of(photo: PhotoKey) -> str:
    """Where the next page begins, as text that means nothing to a client."""
    text = json.dumps([photo.photo_id, photo.collection_id], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _cursor(text: str) -> PhotoKey:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        value = None
    match value:
        case [str() as photo_id, str() as collection_id]:
            return PhotoKey(collection_id, photo_id)
        case _:
            raise ValueError("is not one of ours; send next_cursor as it came, or none")


STATUS: Parameter[PhotoStatus] = Parameter(
    "status",
    "Only photos in this state.",
    {"type": "string", "enum": [str(status) for status in PhotoStatus]},
    _status,
)
LIMIT: Parameter[int] = Parameter(
    "limit",
    "How many photos a page has at most.",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    whole_number(1, MAX_LIMIT),
)
CURSOR: Parameter[PhotoKey] = Parameter(
    "cursor",
    "`next_cursor` of the page before.",
    {"type": "string"},
    _cursor,
)
ALL_OF_COLLECTION_ID: Parameter[str] = Parameter(
    "collection_id",
    "Only the photos of this collection; empty: only what is in no collection. "
    "Absent: every photo of the base.",
    ONE_OF_COLLECTION_ID.schema,
    collection,
)
_LIST = (COLLECTION_IDS, PHOTO_ID, STATUS, LIMIT, CURSOR)
_REMOVE_PROBLEMS = problems_of("photo_not_found", "ambiguous_photo", "storage_full")


def base_routes(backend: Backend, settings: EdgeSettings) -> APIRouter:
    """Listing and removal."""
    router = APIRouter(tags=["base"])

    @router.get(
        "/embed_status/",
        operation_id="embed_status",
        summary="Photos with what is indexed of them",
        response_model=StatusAnswer,
        responses=problems_of(),
        openapi_extra={"security": [{"key": []}], "parameters": query_of(_LIST)},
    )
    async def embed_status(request: Request) -> Response:
        """Ordered by photo_id and collection_id; pages stay stable while photos come and go."""
        caller_of(request.scope).require(Scope.SEARCH)
        incoming = await read_request(request, _LIST, field_bytes=settings.max_field_bytes)
        values = incoming.values
        named = COLLECTION_IDS.many(values)
        listing = await backend.services.read.list(
            PhotoFilter(
                collections=incoming.caller.within(frozenset(named) if named else None),
                photo_id=PHOTO_ID.optional(values),
                status=STATUS.optional(values),
            ),
            CURSOR.optional(values),
            LIMIT.one(values, DEFAULT_LIMIT),
        )
        after = listing.next_after
        return json_answer(
            StatusAnswer(
                items=[StatusItem.of(item) for item in listing.items],
                next_cursor=None if after is None else cursor_of(after),
                total=listing.total,
            )
        )

    @router.delete(
        "/remove/{photo_id}",
        operation_id="remove",
        summary="A photo and all its faces leave the base",
        response_model=RemoveAnswer,
        responses=_REMOVE_PROBLEMS,
        openapi_extra={
            "security": [{"key": []}],
            "parameters": [path_of(), *query_of([ONE_OF_COLLECTION_ID])],
        },
    )
    @router.delete(
        "/remove/",
        operation_id="remove_by_query",
        summary="A photo leaves the base, its name not in the path",
        response_model=RemoveAnswer,
        responses=_REMOVE_PROBLEMS,
        openapi_extra={
            "security": [{"key": []}],
            "parameters": [
                *query_of([PHOTO_ID], required=True),
                *query_of([ONE_OF_COLLECTION_ID]),
            ],
        },
    )
    async def remove(request: Request) -> Response:
        """From the answer on it is in no result, whatever else fails."""
        caller_of(request.scope).require(Scope.ENROL)
        segment = request.path_params.get("photo_id")
        known = (ONE_OF_COLLECTION_ID,) if segment else (PHOTO_ID, ONE_OF_COLLECTION_ID)
        incoming = await read_request(request, known, field_bytes=settings.max_field_bytes)
        photo_id = (
            path_identifier("photo_id", segment) if segment else PHOTO_ID.optional(incoming.values)
        )
        if photo_id is None:
            raise InvalidParameter(
                "photo_id", "is missing; name the photo in the path or the query"
            )
        photo, removed = await backend.services.remove.one(
            photo_id,
            ONE_OF_COLLECTION_ID.optional(incoming.values),
            incoming.caller.collections,
        )
        return json_answer(RemoveAnswer(photo_id=photo.photo_id, faces_removed=removed.faces))

    @router.delete(
        "/remove_all/",
        operation_id="remove_all",
        summary="All photos leave the base, or those of one collection",
        response_model=RemoveAllAnswer,
        responses=problems_of("storage_full"),
        openapi_extra={
            "security": [{"key": []}],
            "parameters": query_of([ALL_OF_COLLECTION_ID]),
        },
    )
    async def remove_all(request: Request) -> Response:
        """Needs the scope `admin`, and a key for every collection."""
        caller = caller_of(request.scope)
        caller.require(Scope.ADMIN)
        if caller.collections is not None:
            raise Forbidden(
                f"the key “{caller.name}” is for certain collections only; /remove_all/ needs one "
                "that is for all"
            )
        incoming = await read_request(
            request, (ALL_OF_COLLECTION_ID,), field_bytes=settings.max_field_bytes
        )
        collection_id = ALL_OF_COLLECTION_ID.optional(incoming.values)
        removed = await backend.services.remove.all(
            None if collection_id is None else frozenset({collection_id})
        )
        return json_answer(
            RemoveAllAnswer(photos_removed=removed.photos, faces_removed=removed.faces)
        )

    return router
