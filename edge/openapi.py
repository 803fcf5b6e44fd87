"""The OpenAPI document: what FastAPI cannot know from a handler's signature.

Handlers read their parameters from form and query alike, so the parameters are documented from the
same `Parameter` values that read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from edge import __version__
from edge.parameters import (
    MAX_IDENTIFIER_LENGTH,
    Described,
    JsonSchema,
    Parameter,
    collection,
    identifier,
)
from edge.problems import DOCS, INTERNAL, KINDS, MEDIA_TYPE, METHOD_NOT_ALLOWED, Kind
from edge.schemas.operations import ProblemAnswer

PROBLEM_SCHEMA = "ProblemAnswer"
# What a control character or white space at the ends of an identifier would break.
_IDENTIFIER_PATTERN = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
_IDENTIFIER: JsonSchema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_IDENTIFIER_LENGTH,
    "pattern": _IDENTIFIER_PATTERN,
}
# What any operation behind the key check may answer.
_EVERYWHERE = (
    "invalid_parameter",
    "unauthorized",
    "forbidden",
    "image_too_large",
    "overloaded",
    "records_unavailable",
    "deadline_exceeded",
    "internal",
)

PHOTO_ID: Parameter[str] = Parameter(
    "photo_id",
    "The photo, as its owner names it: any Unicode but control characters, and no white space at "
    "the ends. Normalised to NFC.",
    _IDENTIFIER,
    identifier,
)
COLLECTION_ID: Parameter[str] = Parameter(
    "collection_id",
    "The collection. Absent or empty: in no collection.",
    {**_IDENTIFIER, "minLength": 0, "pattern": f"^$|{_IDENTIFIER_PATTERN}"},
    collection,
)
ONE_OF_COLLECTION_ID: Parameter[str] = Parameter(
    "collection_id",
    "The collection of the photo. Absent: the only photo of that id; empty: the one in no "
    "collection.",
    COLLECTION_ID.schema,
    collection,
)
COLLECTION_IDS: Parameter[str] = Parameter(
    "collection_id",
    "Where to look; may be repeated. Absent: the whole base; empty: what is in no collection.",
    COLLECTION_ID.schema,
    collection,
    is_repeatable=True,
)


def query_of(parameters: Iterable[Described], *, required: bool = False) -> list[JsonSchema]:
    """The parameters as OpenAPI lists them for a query."""
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": required,
            "description": parameter.description,
            "schema": _schema_of(parameter),
        }
        for parameter in parameters
    ]


def path_of(name: str = "photo_id") -> JsonSchema:
    """A percent-encoded segment of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": "Percent-encoded, a slash as %2F. Where a proxy tidies paths, send "
        f"?{name}= to the path without this segment instead.",
        "schema": _IDENTIFIER,
        "example": "IMG_0001",
    }


def multipart_of(
    parameters: Iterable[Described], *, image: str | None = None, is_required: bool = True
) -> JsonSchema:
    """A multipart body of these fields, and of an image with that description."""
    properties: dict[str, object] = {}
    if image is not None:
        properties["image"] = {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "format": "binary",
            "description": image,
        }
    for parameter in parameters:
        properties[parameter.name] = {
            **_schema_of(parameter),
            "description": parameter.description,
        }
    schema: JsonSchema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if image is not None:
        schema["required"] = ["image"]
    return {
        "required": is_required,
        "description": "Every field but the image may also come in the query; the form wins.",
        "content": {"multipart/form-data": {"schema": schema}},
    }


def _schema_of(parameter: Described) -> JsonSchema:
    if parameter.is_repeatable:
        return {"type": "array", "items": parameter.schema}
    return parameter.schema


def problems_of(*codes: str) -> dict[int | str, dict[str, object]]:
    """The error answers of an operation, by status: these codes and those of every operation."""
    # Whatever writes or removes may find the store full, and nothing else does.
    of_writes = ("audit_unavailable",) if "storage_full" in codes else ()
    return _by_status([*_EVERYWHERE, *codes, *of_writes])


def open_problems_of(*codes: str) -> dict[int | str, dict[str, object]]:
    """The error answers of an operation that needs no key."""
    return _by_status(["invalid_parameter", "image_too_large", "deadline_exceeded", *codes])


def _by_status(codes: Sequence[str]) -> dict[int | str, dict[str, object]]:
    found: dict[int, dict[str, Kind]] = {}
    for kind in (*(kind for _, kind in KINDS), METHOD_NOT_ALLOWED, INTERNAL):
        if kind.code in codes:
            found.setdefault(kind.status, {}).setdefault(kind.code, kind)
    answers: dict[int | str, dict[str, object]] = {}
    for status, kinds in sorted(found.items()):
        answers[status] = {
            "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds.values()),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": f"#/components/schemas/{PROBLEM_SCHEMA}"},
                    "examples": {kind.code: _example(kind) for kind in kinds.values()},
                }
            },
        }
        if any(kind.is_temporary for kind in kinds.values()):
            answers[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
    return answers


def _example(kind: Kind) -> JsonSchema:
    value: JsonSchema = {
        "type": f"{DOCS}{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail or f"{kind.title}.",
        "code": kind.code,
        "request_id": "0f8fad5bd9cb469fa16570867728950e",
    }
    match kind.code:
        case "invalid_parameter":
            value["detail"] = "top_k: must be a whole number from 1 to 50"
            value["errors"] = [{"field": "top_k", "message": "must be a whole number from 1 to 50"}]
        case "no_faces_detected":
            value["faces"] = {"count": 0, "boxes": []}
        case "ambiguous_photo":
            value["collections"] = ["party", "wedding"]
        case _:
            pass
    return {"value": value}


def document(app: FastAPI) -> dict[str, object]:
    """The whole document: FastAPI's, with the key and the form of an error."""
    made = get_openapi(
        title="facesearch",
        version=__version__,
        summary="Selfie in, photos out.",
        description="Errors are `application/problem+json`; programs go by `code`. "
        "Paths work with and without the trailing slash.",
        routes=app.routes,
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas[PROBLEM_SCHEMA] = {
        **ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}"),
    }
    schemas.update(schemas[PROBLEM_SCHEMA].pop("$defs", {}))
    components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    return made
