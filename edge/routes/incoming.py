"""A request as a handler wants it: who calls, checked values, the image."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from edge.errors import InvalidImage, InvalidParameter
from edge.facts import RequestFacts, caller_of, facts_of
from edge.form import IMAGE, FormLimits, read_form
from edge.keys import Caller
from edge.parameters import Described, merge, query_values
from edge.schemas.parts import Answer


@dataclass(frozen=True, slots=True)
class Incoming:
    """What came, read to its end."""

    caller: Caller
    values: Mapping[str, Sequence[str]]
    """Texts by name, form and query together; every name is known."""
    facts: RequestFacts
    image_or_none: bytes | None

    @property
    def image(self) -> bytes:
        """Raises InvalidParameter if none came, InvalidImage for an empty one."""
        if self.image_or_none is None:
            raise InvalidParameter(IMAGE, "is missing; send the file in this field")
        if not self.image_or_none:
            raise InvalidImage("the image is empty; send a JPEG, PNG or WebP")
        return self.image_or_none


async def read_request(
    request: Request,
    parameters: Sequence[Described],
    *,
    field_bytes: int,
    image_bytes: int = 0,
) -> Incoming:
    """Read body and query. Raises InvalidParameter, ImageTooLarge (edge.form)."""
    query = query_values(request.scope["query_string"])
    form = await read_form(
        _chunks(request),
        request.headers.get("content-type"),
        FormLimits(image_bytes=image_bytes, field_bytes=field_bytes),
    )
    return Incoming(
        caller=caller_of(request.scope),
        values=merge(form.fields, query, parameters),
        facts=facts_of(request.scope),
        image_or_none=form.image,
    )


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise InvalidParameter(
            "body", "was cut off; the connection closed before its end"
        ) from None


def json_answer(answer: Answer) -> Response:
    """The answer as JSON, as its schema says."""
    return Response(answer.model_dump_json(), media_type="application/json")
