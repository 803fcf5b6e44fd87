"""Image files as the blocks they are made of: JPEG segments, PNG and WebP chunks.

Damage inside a block is found only where the frame around it is right, so a file is put together
anew: lengths and checksums are those of the content, unless a wrong length is asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_SOI, _SOS = b"\xff\xd8", b"\xff\xda"
_PNG = b"\x89PNG\r\n\x1a\n"
RAW = b""
"""Kind of what has no frame: the entropy-coded data of a JPEG."""


@dataclass(frozen=True, slots=True)
class Block:
    """One segment or chunk."""

    kind: bytes
    """A JPEG marker (2 bytes), a chunk's four letters, or RAW."""
    content: bytes
    declared: int | None = None
    """Length that its header says; None: the right one."""

    def length_field(self, frame: int, width: int) -> int:
        """What stands in a length field of `width` bytes that counts `frame` bytes besides."""
        length = len(self.content) + frame if self.declared is None else self.declared
        return length % (1 << 8 * width)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one format is taken apart and put together."""

    name: str
    split: Callable[[bytes], list[Block]]
    """Of a whole file."""
    join: Callable[[Sequence[Block]], bytes]


def layout_of(data: bytes) -> Layout | None:
    """The layout of a file by its first bytes; None: it has no blocks that are known here."""
    if data.startswith(_SOI):
        return JPEG
    if data.startswith(_PNG):
        return PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    return None


def _split_jpeg(data: bytes) -> list[Block]:
    blocks, at = [], len(_SOI)
    while at + 4 <= len(data):
        marker = data[at : at + 2]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        blocks.append(Block(marker, data[at + 4 : end]))
        at = end
        if marker == _SOS:
            break
    return [*blocks, Block(RAW, data[at:])]


def _join_jpeg(blocks: Sequence[Block]) -> bytes:
    return _SOI + b"".join(
        one.content
        if one.kind == RAW
        else one.kind + one.length_field(2, 2).to_bytes(2, "big") + one.content
        for one in blocks
    )


def _split_png(data: bytes) -> list[Block]:
    blocks, at = [], len(_PNG)
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        blocks.append(Block(data[at + 4 : at + 8], data[at + 8 : end]))
        at = end + 4
    return blocks


def _join_png(blocks: Sequence[Block]) -> bytes:
    return _PNG + b"".join(
        one.length_field(0, 4).to_bytes(4, "big")
        + one.kind
        + one.content
        + zlib.crc32(one.kind + one.content).to_bytes(4, "big")
        for one in blocks
    )


def _split_webp(data: bytes) -> list[Block]:
    blocks, at = [], 12
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        blocks.append(Block(data[at : at + 4], data[at + 8 : end]))
        at = end + end % 2
    return blocks


def _join_webp(blocks: Sequence[Block]) -> bytes:
    content = b"WEBP" + b"".join(
        one.kind
        + one.length_field(0, 4).to_bytes(4, "little")
        + one.content
        + b"\x00" * (len(one.content) % 2)
        for one in blocks
    )
    return b"RIFF" + len(content).to_bytes(4, "little") + content


JPEG = Layout("JPEG", _split_jpeg, _join_jpeg)
PNG = Layout("PNG", _split_png, _join_png)
WEBP = Layout("WEBP", _split_webp, _join_webp)
