"""JPEG files (ITU-T T.81): segments before the first scan, then the scans."""

from __future__ import annotations

from collections.abc import Iterator

from inference.pipeline.containers import exif
from inference.pipeline.containers.container import Container, Metadata, damaged, truncated

MAGIC = b"\xff\xd8\xff"
START = b"\xff\xd8"
END = b"\xff\xd9"
SOS = 0xDA
APP0, APP1, APP2, APP14, APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
COMMENT = 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers: C4, C8 and CC among them mean tables."""
STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
ICC_HEADER = b"ICC_PROFILE\x00"


def size(data: bytes) -> tuple[int, int]:
    """Width and height from the first frame header. Raises InvalidImage."""
    for marker, start, end in _segments(data):
        if marker in FRAMES:
            return _frame_size(data, start, end)
    raise truncated("JPEG")


def read(data: bytes) -> Container:
    """Take a file apart. Raises InvalidImage and ImageTooLarge."""
    metadata = Metadata()
    frame: tuple[int, int] | None = None
    turned = exif.UPRIGHT
    has_exif = False
    icc: dict[int, bytes] = {}
    view = memoryview(data)
    kept: list[bytes | memoryview] = [START]
    scans = len(data)
    for marker, start, end in _segments(data):
        scans = end
        if marker == APP1 and data.startswith(exif.HEADER, start):
            metadata.add(end - start)
            if not has_exif:
                turned, has_exif = exif.orientation(data[start:end]), True
        elif marker == APP2 and data.startswith(ICC_HEADER, start):
            metadata.add(end - start)
            number = start + len(ICC_HEADER)
            if number + 2 <= end:
                icc[data[number]] = data[number + 2 : end]
        elif marker in (APP0, APP14) or not (APP0 <= marker <= APP15 or marker == COMMENT):
            # JFIF and Adobe say what the colour channels are.
            kept.append(view[start - 4 : end])
        if marker in FRAMES and frame is None:
            frame = _frame_size(data, start, end)
        if marker == SOS:
            break
    else:
        raise truncated("JPEG")
    if frame is None:
        raise damaged("JPEG", "a scan without a frame header")
    if data.rfind(END, scans) < 0:
        raise truncated("JPEG")
    width, height = frame
    return Container(
        width=width,
        height=height,
        orientation=turned,
        icc=b"".join(icc[number] for number in sorted(icc)) or None,
        pixels=b"".join([*kept, view[scans:]]),
    )


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of each segment, up to the first scan's header."""
    at = len(START)
    while True:
        if at + 4 > len(data):
            raise truncated("JPEG")
        if data[at] != 0xFF:
            raise damaged("JPEG", "something that is no segment stands before the picture")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1  # markers may be padded
            continue
        if marker in STANDALONE:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or marker in (0x00, 0xD8, 0xD9):
            raise damaged("JPEG", "a segment before the picture makes no sense")
        if end > len(data):
            raise truncated("JPEG")
        yield marker, at + 4, end
        if marker == SOS:
            return
        at = end


def _frame_size(data: bytes, start: int, end: int) -> tuple[int, int]:
    if end - start < 6:
        raise damaged("JPEG", "its frame header is too short")
    height = int.from_bytes(data[start + 1 : start + 3], "big")
    width = int.from_bytes(data[start + 3 : start + 5], "big")
    return width, height
