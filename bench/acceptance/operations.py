"""Every operation of the REST interface, by method and path as `/openapi.json` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel

_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options", "trace"})


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    """One of them."""

    method: str
    path: str
    """{photo_id} stands for a name, percent-encoded."""
    needs_key: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


PING = Operation("GET", "/ping", needs_key=False)
LIVEZ = Operation("GET", "/livez", needs_key=False)
READYZ = Operation("GET", "/readyz", needs_key=False)
METRICS = Operation("GET", "/metrics", needs_key=False)

EMBED_STATUS = Operation("GET", "/embed_status/")
DETECT_FACES = Operation("POST", "/detect_faces/")
ADD_FACE = Operation("PUT", "/add_face/")
REMOVE = Operation("DELETE", "/remove/{photo_id}")
REMOVE_BY_QUERY = Operation("DELETE", "/remove/")
REMOVE_ALL = Operation("DELETE", "/remove_all/")
SEARCH = Operation("POST", "/search/")
PUT_PHOTO = Operation("PUT", "/photos/{photo_id}")
PUT_PHOTO_BY_QUERY = Operation("PUT", "/photos/")
GET_PHOTO = Operation("GET", "/photos/{photo_id}")
GET_PHOTO_BY_QUERY = Operation("GET", "/photos/")
GET_IMAGE = Operation("GET", "/photos/{photo_id}/image")

DOCUMENTED = (
    *(EMBED_STATUS, DETECT_FACES, ADD_FACE, REMOVE, REMOVE_BY_QUERY, REMOVE_ALL, SEARCH),
    *(PUT_PHOTO, PUT_PHOTO_BY_QUERY, GET_PHOTO, GET_PHOTO_BY_QUERY, GET_IMAGE),
    *(PING, LIVEZ, READYZ, METRICS),
)
"""What `/openapi.json` lists."""

OPENAPI = Operation("GET", "/openapi.json", needs_key=False)
DOCS = Operation("GET", "/docs", needs_key=False)
GET_IMAGE_BY_QUERY = Operation("GET", "/photos/image")
NOWHERE = Operation("GET", "/no/such/path")
PAGES = (OPENAPI, DOCS, GET_IMAGE_BY_QUERY, NOWHERE)
"""What else is asked for."""


class Document(BaseModel):
    """What `/openapi.json` answers: the part that is read here."""

    paths: dict[str, dict[str, object]]


def documented_in(document: Document) -> set[tuple[str, str]]:
    """Method and path of every operation of the document."""
    return {
        (method.upper(), path)
        for path, operations in document.paths.items()
        for method in operations
        if method in _METHODS
    }


def named(operations: Iterable[Operation]) -> set[tuple[str, str]]:
    """The same of these operations."""
    return {(one.method, one.path) for one in operations}
