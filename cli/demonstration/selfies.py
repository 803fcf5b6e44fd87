"""Selfies for the demo: faces cut from another version of a photo."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

Rectangle = tuple[float, float, float, float]
"""x, y, width, height in pixels of the photo as a person sees it."""

_MARGIN = 0.35
"""Of the face's longer side, on each side of it: enough context, no neighbours."""
_SMALLEST = 160
"""Pixels of the longer side of a selfie; smaller ones are enlarged."""


def selfie_of(
    photo: bytes, face: Rectangle, *, scale: float, degrees: float, quality: int
) -> bytes:
    """A JPEG of one face: the photo scaled, turned a little, cut and compressed again.

    scale: of the photo; degrees: counter-clockwise; quality: of the JPEG, 1 to 95.
    """
    with Image.open(BytesIO(photo)) as stored:
        image = ImageOps.exif_transpose(stored).convert("RGB")
    x, y, width, height = face
    margin = _MARGIN * max(width, height)
    middle = (x + width / 2, y + height / 2)
    turned = image.rotate(degrees, Image.Resampling.BICUBIC, center=middle)
    cut = turned.crop(
        (
            max(0, round(x - margin)),
            max(0, round(y - margin)),
            min(image.width, round(x + width + margin)),
            min(image.height, round(y + height + margin)),
        )
    )
    factor = max(scale, _SMALLEST / max(cut.size))
    size = (max(1, round(cut.width * factor)), max(1, round(cut.height * factor)))
    stored_again = BytesIO()
    cut.resize(size, Image.Resampling.LANCZOS).save(stored_again, "JPEG", quality=quality)
    return stored_again.getvalue()
