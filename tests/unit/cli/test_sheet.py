"""The contact sheet, as far as a machine can judge it."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from cli.sheet import Tile, contact_sheet

GREEN = (0, 122, 90)


def photo(width: int, height: int, colour: str = "white", orientation: int = 1) -> bytes:
    stored = BytesIO()
    image = Image.new("RGB", (width, height), colour)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(stored, "PNG", exif=exif)
    return stored.getvalue()


def opened(sheet: bytes) -> Image.Image:
    return Image.open(BytesIO(sheet)).convert("RGB")


def extent_of(sheet: Image.Image, colour: tuple[int, int, int], left: int) -> tuple[int, ...]:
    """The bounds of exactly this colour right of `left`, above the captions of the first row."""
    part = sheet.crop((left, 76, sheet.width, 376))
    mask = Image.new("1", part.size)
    mask.putdata([pixel == colour for pixel in part.get_flattened_data()])
    bounds = mask.getbbox()
    assert bounds is not None
    return bounds


SELFIE = Tile(photo(400, 400), (100, 100, 200, 200), "selfie", "me.jpg")


def test_the_selfie_and_every_result_have_a_tile() -> None:
    one = opened(contact_sheet(SELFIE, [SELFIE], heading="h"))
    six = opened(contact_sheet(SELFIE, [SELFIE] * 6, heading="h"))
    assert one.width < six.width
    assert six.height > one.height


def test_the_frame_lies_where_the_face_is() -> None:
    result = Tile(photo(600, 600), (150, 300, 200, 100), "1", "a")
    sheet = opened(contact_sheet(SELFIE, [result], heading="h"))
    left, top, right, bottom = extent_of(sheet, GREEN, left=356)
    assert (right - left, bottom - top) == pytest.approx((106, 56), abs=2)
    assert (left, top) == pytest.approx((72, 147), abs=2)


def test_boxes_are_those_of_the_upright_photo() -> None:
    # Stored 300 × 600, turned by EXIF: a person sees 600 × 300.
    result = Tile(photo(300, 600, orientation=6), (400, 50, 200, 200), "1", "a")
    sheet = opened(contact_sheet(SELFIE, [result], heading="h"))
    left, _, right, _ = extent_of(sheet, GREEN, left=356)
    assert right - left == pytest.approx(104, abs=4)
    assert left == pytest.approx(197 + 20 - 20, abs=4)


@pytest.mark.parametrize("image", [None, b"no image", photo(400, 400)[:60]])
def test_a_photo_that_cannot_be_shown_keeps_its_place(image: bytes | None) -> None:
    sheet = contact_sheet(SELFIE, [Tile(image, (0, 0, 9, 9), "1", "a")], heading="h")
    assert opened(sheet).width == opened(contact_sheet(SELFIE, [SELFIE], heading="h")).width


@pytest.mark.parametrize(
    "face", [None, (-50.0, -50.0, 30.0, 30.0), (0.0, 0.0, 0.4, 0.4), (-9.0, -9.0, 999.0, 999.0)]
)
def test_any_box_can_be_drawn(face: tuple[float, float, float, float] | None) -> None:
    contact_sheet(SELFIE, [Tile(photo(400, 1), face, "1 · 0.9", "long" * 99)], heading="x" * 999)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixels_can_be_shown(mode: str) -> None:
    stored = BytesIO()
    Image.new(mode, (40, 40)).save(stored, "TIFF" if mode == "CMYK" else "PNG")
    contact_sheet(SELFIE, [Tile(stored.getvalue(), (1, 1, 9, 9), "1", "a")], heading="h")
