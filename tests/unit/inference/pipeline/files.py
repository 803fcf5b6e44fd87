"""Image files made by hand: what encoders do not write but senders send."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from inference.pipeline.faces import Pixels


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(
    width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2, before: bytes = b""
) -> bytes:
    """A PNG of raw rows (each with its filter byte); before: chunks in front of the picture."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + before
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def png_with(data: bytes, chunk: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    after_header = 8 + 12 + 13
    return data[:after_header] + chunk + data[after_header:]


def png16(pixels: Pixels, *, grey: bool = False) -> bytes:
    """A picture as a PNG of 16 bits a channel, its values spread over all of them."""
    source = pixels[..., :1] if grey else pixels
    wide = source.astype(np.uint16) * 257
    height, width = wide.shape[:2]
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in wide)
    return png(width, height, rows, depth=16, colour=0 if grey else 2)


def packed(size: int) -> bytes:
    """So many zeros, compressed a thousandfold."""
    compressor = zlib.compressobj(9)
    blocks = [compressor.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(blocks) + compressor.flush()


def jpeg_with(data: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment at its start."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + data[2:]


def exif(orientation: int, *, little: bool = True) -> bytes:
    order, magic = ("<", b"II*\x00") if little else (">", b"MM\x00*")
    return (
        b"Exif\x00\x00"
        + magic
        + struct.pack(order + "IH", 8, 1)
        + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
        + struct.pack(order + "I", 0)
    )


def display_p3() -> bytes:
    """An ICC profile of Display P3: that of sRGB with its three primaries replaced."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Colourants adapted to D50, as Apple's profile has them.
    primaries = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    (tags,) = struct.unpack_from(">I", made, 128)
    for number in range(tags):
        name, offset, _size = struct.unpack_from(">4sII", made, 132 + 12 * number)
        if name in primaries:
            fixed = [round(value * 65_536) for value in primaries[name]]
            struct.pack_into(">iii", made, offset + 8, *fixed)
    return bytes(made)
