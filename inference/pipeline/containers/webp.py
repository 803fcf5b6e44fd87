"""WebP files (RFC 9649): RIFF chunks around a VP8 or VP8L picture."""

from __future__ import annotations

from collections.abc import Iterator

from inference.pipeline.containers import exif
from inference.pipeline.containers.container import Container, Metadata, damaged, truncated

RIFF = b"RIFF"
WEBP = b"WEBP"
HEADER_BYTES = 12
PICTURE = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
FLAG_ICC, FLAG_EXIF, FLAG_XMP = 0x20, 0x08, 0x04
VP8X_BYTES = 10
VP8_KEY_FRAME = b"\x9d\x01\x2a"
VP8L_SIGNATURE = 0x2F


def is_webp(data: bytes) -> bool:
    """Whether the magic bytes are those of WebP."""
    return data[:4] == RIFF and data[8:12] == WEBP


def size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas. Raises InvalidImage."""
    for kind, start, end in _chunks(data):
        return _canvas(data, kind, start, end)
    raise truncated("WebP")


def read(data: bytes) -> Container:
    """Take a file apart. Raises InvalidImage and ImageTooLarge."""
    width, height = size(data)
    metadata = Metadata()
    turned = exif.UPRIGHT
    icc: bytes | None = None
    kept: list[bytes] = []
    has_picture = False
    for kind, start, end in _chunks(data):
        match kind:
            case b"EXIF":
                metadata.add(end - start)
                turned = exif.orientation(data[start:end])
            case b"ICCP":
                metadata.add(end - start)
                icc = data[start:end]
            case b"XMP ":
                metadata.add(end - start)
            case b"VP8X":
                if end - start < VP8X_BYTES:
                    raise damaged("WebP", "its header chunk is too short")
                flags = data[start] & ~(FLAG_ICC | FLAG_EXIF | FLAG_XMP)
                kept.append(_chunk(kind, bytes([flags]) + data[start + 1 : end]))
            case b"ANIM":
                kept.append(_chunk(kind, data[start:end]))
            case b"ANMF" if not has_picture:
                kept.append(_chunk(kind, data[start:end]))
                has_picture = True
            case _ if kind in PICTURE and not has_picture:
                kept.append(_chunk(kind, data[start:end]))
                has_picture = kind != b"ALPH"
            case _:
                pass  # later frames and unknown chunks
    if not has_picture:
        raise truncated("WebP")
    content = WEBP + b"".join(kept)
    pixels = RIFF + len(content).to_bytes(4, "little") + content
    return Container(width, height, turned, icc, pixels)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each chunk."""
    file_end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < HEADER_BYTES or file_end > len(data):
        raise truncated("WebP")
    at = HEADER_BYTES
    while at + 8 <= file_end:
        start = at + 8
        end = start + int.from_bytes(data[at + 4 : start], "little")
        if end > file_end:
            raise truncated("WebP")
        yield data[at : at + 4], start, end
        at = end + end % 2  # contents are padded to even lengths


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + b"\x00" * (len(content) % 2)


def _canvas(data: bytes, kind: bytes, start: int, end: int) -> tuple[int, int]:
    """Width and height from the first chunk, whichever of the three layouts it is."""
    content = data[start : min(end, start + 10)]
    match kind:
        case b"VP8X" if len(content) == VP8X_BYTES:
            width = 1 + int.from_bytes(content[4:7], "little")
            height = 1 + int.from_bytes(content[7:10], "little")
        case b"VP8 " if len(content) == 10 and content[3:6] == VP8_KEY_FRAME:
            width = int.from_bytes(content[6:8], "little") & 0x3FFF
            height = int.from_bytes(content[8:10], "little") & 0x3FFF
        case b"VP8L" if len(content) >= 5 and content[0] == VP8L_SIGNATURE:
            bits = int.from_bytes(content[1:5], "little")
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case _:
            raise damaged("WebP", "it does not begin with a picture's header")
    return width, height
