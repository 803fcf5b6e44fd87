"""Small real images in every form that is taken, and in some that are not."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from bench.kit.photos import selfie_pictures
from bench.kit.picture_source import PictureSource, picture_source

_PEOPLE = 4
_SIDE = 144
"""Pixels of the longer side. Small, so that damage meets the structure of a file as often as its
picture, and thousands take seconds."""
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Original:
    """A whole image."""

    name: str
    data: bytes


def originals(folder: Path | None) -> list[Original]:
    """Every form of pictures of a few people, in a fixed order.

    folder: make them of its photos; None: of the test data. Raises NoPictures.
    """
    source = picture_source(folder)
    people = [_small(source, number) for number in selfie_pictures(source, _PEOPLE)]
    forms = list(_FORMS.items())
    return [
        Original(f"{name} of picture {number % len(people)}", make(people[number % len(people)]))
        for number, (name, make) in enumerate(forms)
    ]


def _small(source: PictureSource, number: int) -> Image.Image:
    picture = Image.fromarray(cv2.cvtColor(source.picture(number), cv2.COLOR_BGR2RGB))
    picture.thumbnail((_SIDE, _SIDE))
    return picture


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[_ORIENTATION] = orientation
    return block.tobytes()


def _texts() -> PngInfo:
    texts = PngInfo()
    texts.add_text("Title", "a portrait")
    texts.add_text("Comment", "packed " * 50, zip=True)
    texts.add_itxt("Author", "nobody " * 20, lang="en", zip=True)
    return texts


def _frames(picture: Image.Image) -> Iterator[Image.Image]:
    yield picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    yield picture.convert("L").convert("RGB")


def _with_opacity(picture: Image.Image) -> Image.Image:
    made = picture.convert("RGBA")
    made.putalpha(Image.linear_gradient("L").resize(picture.size))
    return made


def _deep(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


_FORMS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda one: _saved(one, "JPEG", quality=90),
    "JPEG, progressive": lambda one: _saved(one, "JPEG", quality=85, progressive=True),
    "JPEG, 4:4:4 with restarts": lambda one: _saved(
        one, "JPEG", quality=80, subsampling=0, restart_marker_blocks=8
    ),
    "JPEG, grey": lambda one: _saved(one.convert("L"), "JPEG", quality=80),
    "JPEG, CMYK": lambda one: _saved(one.convert("CMYK"), "JPEG", quality=80),
    "JPEG, turned by EXIF": lambda one: _saved(one, "JPEG", quality=80, exif=_exif(6)),
    "JPEG with a profile": lambda one: _saved(
        one, "JPEG", quality=80, icc_profile=_profile(), comment=b"a comment"
    ),
    "PNG": lambda one: _saved(one, "PNG"),
    "PNG, palette": lambda one: _saved(one.quantize(64), "PNG"),
    "PNG, one bit": lambda one: _saved(one.convert("1"), "PNG"),
    "PNG, 16 bits grey": lambda one: _saved(_deep(one), "PNG"),
    "PNG with opacity": lambda one: _saved(_with_opacity(one), "PNG"),
    "PNG with texts": lambda one: _saved(
        one, "PNG", pnginfo=_texts(), icc_profile=_profile(), exif=_exif(3)
    ),
    "PNG, animated": lambda one: _saved(
        one, "PNG", save_all=True, append_images=list(_frames(one))
    ),
    "WebP": lambda one: _saved(one, "WEBP", quality=80),
    "WebP, lossless": lambda one: _saved(one, "WEBP", lossless=True),
    "WebP with opacity": lambda one: _saved(_with_opacity(one), "WEBP", quality=70),
    "WebP with metadata": lambda one: _saved(
        one, "WEBP", quality=70, icc_profile=_profile(), exif=_exif(8), xmp=b"<x/>"
    ),
    "WebP, animated": lambda one: _saved(
        one, "WEBP", save_all=True, append_images=list(_frames(one)), quality=60
    ),
    "BMP": lambda one: _saved(one, "BMP"),
    "GIF": lambda one: _saved(one, "GIF"),
    "TIFF": lambda one: _saved(one, "TIFF"),
}
