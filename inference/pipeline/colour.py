"""Any picture that Pillow decodes, as RGB of 8 bits in sRGB over white."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from inference.pipeline.faces import Recolour

SAME_WITHIN = 3
"""Levels of 255: a profile that moves no colour by more is sRGB under another name."""
GRID_STEPS = 6
MAX_REMEMBERED_BYTES = 16 << 10
"""Profiles of cameras and phones are smaller, and a few of them make up nearly all photos; to build
a transform takes as long as to decode a small photo."""
MODE_OF_COLOUR_SPACE = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}

Transform = ImageCms.ImageCmsTransform


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """The picture as RGB in sRGB; what is transparent shows white.

    icc: the profile that its colours are in; None: sRGB. A profile that is broken or for another
    kind of colours is passed over, as browsers do.
    """
    colours, opacity = _separated(image)
    transform = None if icc is None else _transform(icc, colours.mode)
    rgb = colours.convert("RGB") if transform is None else transform.apply(colours)
    if opacity is None:
        return rgb
    over_white = Image.new("RGB", rgb.size, "white")
    over_white.paste(rgb, mask=opacity)
    return over_white


def recolour(icc: bytes | None) -> Recolour | None:
    """From RGB of a profile to RGB in sRGB, as `to_srgb`; None: nothing to do."""
    transform = None if icc is None else _transform(icc, "RGB")
    if transform is None:
        return None
    return lambda pixels: np.asarray(transform.apply(Image.fromarray(pixels)))


def _separated(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours as L, RGB or CMYK, and opacity as L; None: opaque."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        return _eight_bits(image)
    has_opacity = "A" in image.getbands() or "transparency" in image.info
    match image.mode:
        case "CMYK" | "RGB" | "L" if not has_opacity:
            return image, None
        case "LA" | "La":
            both = image.convert("LA")
            return both.getchannel("L"), both.getchannel("A")
        case _ if has_opacity:
            rgba = image.convert("RGBA")
            return rgba.convert("RGB"), rgba.getchannel("A")
        case "1":
            return image.convert("L"), None
        case _:
            return image.convert("RGB"), None


def _eight_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 16 bits; Pillow's own conversion would cut at 255 instead of scaling."""
    values = np.asarray(image).astype(np.int32)
    grey = Image.fromarray(((values * 255 + 32_767) // 65_535).clip(0, 255).astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey, None
    return grey, Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))


def _transform(icc: bytes, mode: str) -> Transform | None:
    """From a profile's colours to sRGB; None: nothing to do, or no profile for this mode."""
    return _remembered(icc, mode) if len(icc) <= MAX_REMEMBERED_BYTES else _built(icc, mode)


@lru_cache(maxsize=16)
def _remembered(icc: bytes, mode: str) -> Transform | None:
    # Little CMS lets any number of threads use one transform.
    return _built(icc, mode)


def _built(icc: bytes, mode: str) -> Transform | None:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if MODE_OF_COLOUR_SPACE.get(profile.profile.xcolor_space) != mode:
            return None
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
        return None if mode == "RGB" and _changes_nothing(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: Transform) -> bool:
    """Whether a transform leaves a grid over all colours as it is."""
    grid = _colour_grid()
    after = np.asarray(transform.apply(grid)).astype(np.int16)
    return bool(np.abs(after - np.asarray(grid).astype(np.int16)).max() <= SAME_WITHIN)


@lru_cache(maxsize=1)
def _colour_grid() -> Image.Image:
    levels = np.linspace(0, 255, GRID_STEPS).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    return Image.fromarray(np.ascontiguousarray(colours))
