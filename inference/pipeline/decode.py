"""From the bytes of a file to RGB as a person sees it. Strict: half a picture is an error.

The header comes first and costs nothing; only a picture within the limits is decoded. Pillow's
switches (``MAX_IMAGE_PIXELS``, ``LOAD_TRUNCATED_IMAGES``) belong to the whole process and are
neither set nor relied on.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from inference.errors import ImageTooLarge, InvalidImage
from inference.pipeline.colour import recolour, to_srgb
from inference.pipeline.containers import jpeg, png, webp
from inference.pipeline.containers.container import Container
from inference.pipeline.containers.exif import UPRIGHT
from inference.pipeline.faces import DecodeLimits, Header, Photo, Pixels
from inference.pipeline.turbo import decode_turbo

MAX_SIDE = 32_766
"""Pixels; OpenCV's warps count in 16 bits."""

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for damaged files; it has no common base for them."""


@dataclass(frozen=True, slots=True)
class _Format:
    """How files of one format are read."""

    name: str
    size: Callable[[bytes], tuple[int, int]]
    read: Callable[[bytes], Container]
    decoder: Callable[[io.BytesIO], ImageFile]


JPEG = _Format("JPEG", jpeg.size, jpeg.read, JpegImageFile)
PNG = _Format("PNG", png.size, png.read, PngImageFile)
WEBP = _Format("WEBP", webp.size, webp.read, WebPImageFile)
FORMATS = {kind.name: kind for kind in (JPEG, PNG, WEBP)}

REDUCTIONS = (8, 4, 2, 1)
"""What a JPEG can be reduced by while it is decoded. libjpeg-turbo knows eighths between them, but
has no vector code for these: three quarters take longer than all."""
FIRST_TRANSPOSED = 5
"""EXIF orientations from here on swap width and height."""


def read_header(data: bytes, limits: DecodeLimits) -> Header:
    """Format and size of an image, without decoding a pixel; what it is called does not matter.

    Raises InvalidImage (not JPEG, PNG or WebP, or damaged before its size) and ImageTooLarge.
    """
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"the image has {len(data):,} bytes, at most {limits.max_bytes:,} are taken"
        )
    kind = _format(data)
    width, height = kind.size(data)
    if width < 1 or height < 1:
        raise InvalidImage(f"the image is {width}×{height} pixels")
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"the image is {width}×{height} = {width * height:,} pixels, at most "
            f"{limits.max_pixels:,} are taken"
        )
    if max(width, height) > MAX_SIDE:
        raise ImageTooLarge(
            f"the image is {width}×{height} pixels; no side may exceed {MAX_SIDE:,}"
        )
    return Header(kind.name, width, height)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file whose header is within the limits, taken apart; no pixel is decoded yet."""

    header: Header
    container: Container

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the photo frame."""
        header = self.header
        if self.container.orientation >= FIRST_TRANSPOSED:
            return header.height, header.width
        return header.width, header.height

    def can_reduce(self, reduction: int) -> bool:
        """Whether it can be decoded with one pixel for `reduction`² of them."""
        if self.header.format != JPEG.name or reduction not in REDUCTIONS:
            return reduction == 1
        if min(self.header.width, self.header.height) < reduction:
            return False  # nothing would be left of it, which Pillow takes for a division by zero
        # Turned, pixels that reach over the right or bottom edge would come to lie first.
        return self.container.orientation == UPRIGHT or not (
            self.header.width % reduction or self.header.height % reduction
        )

    def coarsest(self, most: float) -> int:
        """The greatest reduction that it can be decoded at and that is not above `most`, or 1."""
        return next((one for one in REDUCTIONS if one <= most and self.can_reduce(one)), 1)


def open_file(data: bytes, header: Header) -> Encoded:
    """Take a file apart.

    header: what `read_header` says of it. Raises InvalidImage and ImageTooLarge for what is around
    the picture.
    """
    return Encoded(header, FORMATS[header.format].read(data))


def decode(data: bytes, limits: DecodeLimits) -> Photo:
    """The picture in a file: RGB, sRGB, 8 bits, upright, over white, of an animation the start.

    Runs in any thread. Raises what `read_header` raises, and InvalidImage for a file that is
    damaged or ends too early, wherever.
    """
    return in_srgb(decode_at(open_file(data, read_header(data, limits))))


def decode_at(encoded: Encoded, reduction: int = 1) -> Photo:
    """As `decode`, with one pixel for `reduction`² of the photo's, and perhaps not in sRGB yet.

    A JPEG is reduced before its pixels are made (the DCT of a smaller block), which costs little
    more than reading it, and leaves no aliasing. Raises InvalidImage.
    """
    if not encoded.can_reduce(reduction):
        raise ValueError(f"this file cannot be decoded at a reduction of {reduction}")
    header, container = encoded.header, encoded.container
    width, height = encoded.size
    if header.format == JPEG.name:
        pixels = decode_turbo(container.pixels, header.width, header.height, reduction)
        if pixels is not None:
            upright = _upright(pixels, container.orientation)
            return Photo(upright, width, height, reduction, recolour(container.icc))
    upright = _upright(_decode_pillow(encoded, reduction), container.orientation)
    return Photo(upright, width, height, reduction)


def in_srgb(photo: Photo) -> Photo:
    """The same photo, all its pixels in sRGB."""
    if photo.to_srgb is None:
        return photo
    return replace(photo, pixels=photo.to_srgb(photo.pixels), to_srgb=None)


def _decode_pillow(encoded: Encoded, reduction: int) -> Pixels:
    header, container = encoded.header, encoded.container
    try:
        with FORMATS[header.format].decoder(io.BytesIO(container.pixels)) as image:
            if image.size != (header.width, header.height):
                raise InvalidImage(
                    f"the {header.format} is damaged: its header says {header.width}×"
                    f"{header.height} pixels, its picture has {image.width}×{image.height}"
                )
            if reduction > 1:
                image.draft(image.mode, (header.width // reduction, header.height // reduction))
            image.load()
            return np.asarray(to_srgb(image, container.icc))
    except DECODER_ERRORS as error:
        raise InvalidImage(f"the {header.format} is damaged or ends too early") from error


def _format(data: bytes) -> _Format:
    if data.startswith(jpeg.MAGIC):
        return JPEG
    if data.startswith(png.MAGIC):
        return PNG
    if webp.is_webp(data):
        return WEBP
    if not data:
        raise InvalidImage("the image is empty; send a JPEG, PNG or WebP")
    raise InvalidImage("not a JPEG, PNG or WebP image, going by its first bytes")


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation: what the stored first row and column are (EXIF 2.32, table 6)."""
    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180)
        case 8:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            turned = pixels
    return np.ascontiguousarray(turned, dtype=np.uint8)
