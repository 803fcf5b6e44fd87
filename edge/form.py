"""A multipart body: one image and a few short fields, in memory, parsed as the bytes come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from edge.errors import ImageTooLarge, InvalidParameter

IMAGE = "image"
_MAX_PARTS = 64
_MAX_HEADER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What a form may hold."""

    image_bytes: int
    """0: the form takes no image."""
    field_bytes: int
    """All fields together."""


@dataclass(frozen=True, slots=True)
class Form:
    """A body, read to its end."""

    image: bytes | None = None
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values by name, in the order they came."""


async def read_form(
    chunks: AsyncIterator[bytes], content_type: str | None, limits: FormLimits
) -> Form:
    """Read a body. An empty one without a content type is an empty form.

    Raises InvalidParameter for a body that is not multipart/form-data, broken, with two images or
    with fields that are too many or too long; ImageTooLarge.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        async for chunk in chunks:
            if chunk:
                raise InvalidParameter(
                    "Content-Type", "the body must be multipart/form-data, with its boundary"
                )
        return Form()
    reader = _FormReader(boundary, limits)
    async for chunk in chunks:
        reader.feed(chunk)
    return reader.form()


class _FormReader:
    """Collects the parts as the parser meets them."""

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        self._limits = limits
        self._images: list[bytes] = []
        self._fields: dict[str, list[str]] = {}
        self._field_bytes = 0
        self._parts = 0
        self._is_complete = False
        self._received = 0
        # Of the part at hand.
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._is_file = False
        self._pieces: list[bytes] = []
        self._size = 0
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_content,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_ends,
                    "on_end": self._body_ends,
                },
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError:
            raise _broken() from None

    def feed(self, chunk: bytes) -> None:
        self._received += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise _broken() from None

    def form(self) -> Form:
        if not self._is_complete:
            if self._received:
                raise _broken()
            return Form()
        return Form(self._images[0] if self._images else None, self._fields)

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidParameter("body", f"has more than {_MAX_PARTS} parts")
        self._headers = {}
        self._pieces = []
        self._size = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_content(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ends(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = b""
        self._header_value = b""

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise _broken()
        self._name = _text("body", options[b"name"])
        self._is_file = b"filename" in options or self._name == IMAGE
        if self._is_file and self._name != IMAGE:
            raise InvalidParameter(self._name, f"is a file; the only file is “{IMAGE}”")
        if self._is_file and not self._limits.image_bytes:
            raise InvalidParameter(IMAGE, "is not taken here")
        if self._is_file and self._images:
            raise InvalidParameter(IMAGE, "came twice; send one image")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._is_file:
            if self._size > self._limits.image_bytes:
                raise ImageTooLarge(
                    f"the image is larger than {self._limits.image_bytes} bytes; send a smaller one"
                )
        else:
            self._field_bytes += end - start
            if self._field_bytes > self._limits.field_bytes:
                raise InvalidParameter(
                    self._name, f"all fields together take {self._limits.field_bytes} bytes at most"
                )
        # A slice of a whole chunk is that chunk, so an image is copied once, when it is joined.
        self._pieces.append(data[start:end])

    def _part_ends(self) -> None:
        content = b"".join(self._pieces)
        self._pieces = []
        if self._is_file:
            self._images.append(content)
        else:
            self._fields.setdefault(self._name, []).append(_text(self._name, content))

    def _body_ends(self) -> None:
        self._is_complete = True


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidParameter(name, "is not UTF-8") from None


def _broken() -> InvalidParameter:
    return InvalidParameter("body", "is not well-formed multipart/form-data, or was cut off")
