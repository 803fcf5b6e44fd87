"""For schemathesis: an image is now and then a real one, so that requests get past the decoder."""

from __future__ import annotations

import io
import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _drawn(kind: str, size: tuple[int, int]) -> bytes:
    stored = io.BytesIO()
    Image.new("RGB", size, (90, 120, 150)).save(stored, kind)
    return stored.getvalue()


_PHOTOS = [Path(photo).read_bytes() for photo in os.environ["SCHEMA_PHOTOS"].split(os.pathsep)]
_BLANK = [_drawn("JPEG", (64, 48)), _drawn("PNG", (1, 1)), _drawn("WEBP", (20, 20))]

schemathesis.openapi.format(
    "binary", st.one_of(st.sampled_from(_PHOTOS + _BLANK), st.binary(max_size=200))
)
