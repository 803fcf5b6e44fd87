"""How large a request may be: by its Content-Length, or counted as the bytes come."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.errors import ImageTooLarge, InvalidParameter

FRAMING_BYTES = 64 * 1024
"""Boundaries and headers of the parts, beside the image and the fields themselves."""


class BodyLimits:
    """Stops a body that is larger than any good one of its path. Raises ImageTooLarge.

    The limit on the image itself is exact and is the form's (edge.form): a little more may come
    this far.
    """

    def __init__(
        self, app: ASGIApp, *, search_bytes: int, enrol_bytes: int, field_bytes: int
    ) -> None:
        self._app = app
        self._search_bytes = search_bytes
        self._enrol_bytes = enrol_bytes
        self._allowance = field_bytes + FRAMING_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        image = self._search_bytes if scope["path"] == "/search/" else self._enrol_bytes
        limit = image + self._allowance
        if _declared_bytes(Headers(scope=scope)) > limit:
            raise _too_large(image)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(image)
            return message

        await self._app(scope, counted, send)


def _declared_bytes(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()):
        raise InvalidParameter("Content-Length", "must be a whole number")
    return int(declared)


def _too_large(image_bytes: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"the request is larger than an image of {image_bytes} bytes needs; "
        "send a smaller image (a JPEG of 12 megapixels is about 4 MB)"
    )
