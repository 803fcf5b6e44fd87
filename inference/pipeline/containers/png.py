"""PNG files (ISO/IEC 15948): a chain of chunks from IHDR to IEND."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from inference.pipeline.containers import exif
from inference.pipeline.containers.container import Container, Metadata, damaged, truncated

MAGIC = b"\x89PNG\r\n\x1a\n"
CHUNK_FRAME = 12
"""Length, type and checksum around the content of a chunk."""
PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""What the picture needs. Without the chunks of an animation it is the default image of an APNG."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height from the header chunk. Raises InvalidImage."""
    for kind, start, end in _chunks(data):
        if kind != b"IHDR" or end - start != 13:
            break
        width = int.from_bytes(data[start : start + 4], "big")
        height = int.from_bytes(data[start + 4 : start + 8], "big")
        return width, height
    raise damaged("PNG", "it does not begin with its header")


def read(data: bytes) -> Container:
    """Take a file apart. Raises InvalidImage and ImageTooLarge."""
    width, height = size(data)
    metadata = Metadata()
    turned = exif.UPRIGHT
    icc: bytes | None = None
    view = memoryview(data)
    kept: list[bytes | memoryview] = [MAGIC]
    kind = b""
    for kind, start, end in _chunks(data):
        match kind:
            case _ if kind in PICTURE:
                kept.append(view[start - 8 : end + 4])
            case b"eXIf":
                metadata.add(end - start)
                turned = exif.orientation(data[start:end])
            case b"iCCP":
                icc = _inflated(data, _after_text(data, start, end, fields=1) + 1, end, metadata)
            case b"tEXt":
                metadata.add(end - start)
            case b"zTXt":
                _inflated(data, _after_text(data, start, end, fields=1) + 1, end, metadata)
            case b"iTXt":
                keyword = _after_text(data, start, end, fields=1)
                text = _after_text(data, min(keyword + 2, end), end, fields=2)
                if data[keyword : keyword + 1] == b"\x01":
                    _inflated(data, text, end, metadata)
                else:
                    metadata.add(end - start)
            case _:
                pass  # other ancillary chunks say nothing that is needed, and are not copied
        if kind == b"IEND":
            break
    if kind != b"IEND":
        raise truncated("PNG")
    return Container(width, height, turned, icc, b"".join(kept))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each chunk."""
    at = len(MAGIC)
    while at < len(data):
        if at + CHUNK_FRAME > len(data):
            raise truncated("PNG")
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            raise truncated("PNG")
        yield data[at + 4 : start], start, end
        at = end + 4


def _after_text(data: bytes, start: int, end: int, *, fields: int) -> int:
    """Where the content goes on after so many texts that end with a zero; `end` if they do not."""
    for _ in range(fields):
        zero = data.find(b"\x00", start, end)
        if zero < 0:
            return end
        start = zero + 1
    return start


def _inflated(data: bytes, start: int, end: int, metadata: Metadata) -> bytes | None:
    """A compressed part of a chunk, never more than there is room for; None: damaged."""
    try:
        content = zlib.decompressobj().decompress(data[start:end], metadata.room + 1)
    except zlib.error:
        # A broken text or profile says nothing about the picture.
        metadata.add(end - start)
        return None
    metadata.add(max(len(content), end - start))
    return content
