"""The orientation in an EXIF block: the one thing of it that decides where a face is."""

from __future__ import annotations

import struct

TAG_ORIENTATION = 0x0112
TYPE_SHORT = 3
ENTRY_BYTES = 12
UPRIGHT = 1
HEADER = b"Exif\x00\x00"


def orientation(block: bytes) -> int:
    """EXIF orientation, 1 to 8, of a TIFF structure, with or without EXIF's own header.

    A damaged block is taken for upright, as every viewer does: the picture beside it is whole.
    """
    tiff = block.removeprefix(HEADER)
    try:
        order = {b"II*\x00": "<", b"MM\x00*": ">"}[tiff[:4]]
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        for entry in range(entries):
            at = first + 2 + entry * ENTRY_BYTES
            tag, kind, _count, value = struct.unpack_from(order + "HHIH", tiff, at)
            if tag == TAG_ORIENTATION and kind == TYPE_SHORT and 1 <= value <= 8:
                return int(value)
    except (KeyError, struct.error):
        return UPRIGHT
    return UPRIGHT
