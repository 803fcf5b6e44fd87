"""Ordinary JPEGs by libjpeg-turbo itself: twice as fast as by way of Pillow."""

from __future__ import annotations

import simplejpeg

from inference.pipeline.faces import Pixels

COLOUR_SPACES = frozenset({"YCbCr", "RGB", "Gray"})
"""Of CMYK and YCCK Adobe's inversion is left to Pillow."""


def decode_turbo(jpeg: bytes, width: int, height: int, reduction: int) -> Pixels | None:
    """The picture of a JPEG as it is stored, RGB; None: Pillow must judge it.

    width, height: what the file must show. reduction: 1, 2, 4 or 8. Whatever libjpeg-turbo as much
    as warns of is None here, so that one decoder decides what is damaged, at every reduction.
    """
    held_width, held_height = -(-width // reduction), -(-height // reduction)
    try:
        real_height, real_width, colour_space, _ = simplejpeg.decode_jpeg_header(jpeg)
        if (real_width, real_height) != (width, height) or colour_space not in COLOUR_SPACES:
            return None
        pixels: Pixels = simplejpeg.decode_jpeg(jpeg, min_width=held_width, min_height=held_height)
    except ValueError:
        return None
    return pixels if pixels.shape[:2] == (held_height, held_width) else None
