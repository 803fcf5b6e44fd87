"""JPEGs with one pixel for 4, 16 or 64: the same picture, and as strict as in full."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from inference.errors import InvalidImage
from inference.pipeline import decode as decoding
from inference.pipeline.decode import decode, decode_at, in_srgb, open_file, read_header
from inference.pipeline.faces import DecodeLimits, Photo, Pixels
from inference.pipeline.turbo import decode_turbo
from tests.unit.inference.pipeline import files

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
WIDTH, HEIGHT = 192, 128
REDUCTIONS = [2, 4, 8]


def picture(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Smooth, and different in every corner."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=-1).round().astype(np.uint8))


def textured() -> Image.Image:
    """Anything but smooth, as a camera's pictures are."""
    noise = np.random.default_rng(4).integers(-20, 21, (HEIGHT, WIDTH, 3))
    return Image.fromarray((np.asarray(picture()) + noise).clip(0, 255).astype(np.uint8))


def decoded(data: bytes, reduction: int) -> Photo:
    return in_srgb(decode_at(open_file(data, read_header(data, LIMITS)), reduction))


def means(pixels: Pixels, reduction: int) -> Pixels:
    """Of blocks of reduction × reduction pixels."""
    height, width = pixels.shape[0] // reduction, pixels.shape[1] // reduction
    made = cv2.resize(
        pixels[: height * reduction, : width * reduction],
        (width, height),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(made, dtype=np.uint8)


def difference(one: Pixels, other: Pixels) -> float:
    """Mean levels between two pictures."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(np.int16) - other).mean())


FORMS = {
    "baseline": files.encoded(textured(), "JPEG", quality=90),
    "progressive": files.encoded(textured(), "JPEG", quality=90, progressive=True),
    "4:4:4": files.encoded(textured(), "JPEG", quality=90, subsampling=0),
    "4:2:2": files.encoded(textured(), "JPEG", quality=90, subsampling=1),
    "grey": files.encoded(textured().convert("L"), "JPEG", quality=90),
    "CMYK": files.encoded(textured().convert("CMYK"), "JPEG", quality=90),
    "Display P3": files.encoded(textured(), "JPEG", quality=90, icc_profile=files.display_p3()),
    "odd sides": files.encoded(picture(189, 127), "JPEG", quality=90),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_reduced_pixel_is_the_mean_of_those_it_stands_for(form: str, reduction: int) -> None:
    full = decode(FORMS[form], LIMITS)

    photo = decoded(FORMS[form], reduction)

    assert (photo.width, photo.height, photo.reduction) == (full.width, full.height, reduction)
    assert photo.pixels.shape[:2] == (-(-full.height // reduction), -(-full.width // reduction))
    whole = photo.pixels[: full.height // reduction, : full.width // reduction]
    assert difference(whole, means(full.pixels, reduction)) < 4


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reduction", [1, *REDUCTIONS])
def test_the_fast_decoder_gives_the_pixels_of_pillow_or_leaves_the_file_to_it(
    form: str, reduction: int
) -> None:
    with Image.open(io.BytesIO(FORMS[form])) as image:
        width, height = image.size
        image.draft(image.mode, (width // reduction, height // reduction))
        expected = np.asarray(image.convert("RGB"))

    pixels = decode_turbo(FORMS[form], width, height, reduction)

    if form == "CMYK":
        assert pixels is None
    else:
        assert pixels is not None
        assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("form", ["baseline", "progressive", "grey", "CMYK"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_file_that_ends_too_early_is_refused_at_every_reduction(
    form: str, reduction: int
) -> None:
    data = FORMS[form]

    for end in range(0, len(data), 97):
        with pytest.raises(InvalidImage):
            decoded(data[:end], reduction)


def test_what_the_fast_decoder_warns_of_is_judged_by_pillow_at_every_reduction() -> None:
    whole = FORMS["baseline"]
    # The scan ends early but in order: libjpeg warns and makes up the rest.
    data = whole[: len(whole) * 2 // 3] + b"\xff\xd9"

    assert decode_turbo(data, WIDTH, HEIGHT, 1) is None
    shapes = [decoded(data, reduction).pixels.shape for reduction in [1, *REDUCTIONS]]
    assert shapes == [(128, 192, 3), (64, 96, 3), (32, 48, 3), (16, 24, 3)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_what_follows_the_picture_is_not_read(reduction: int) -> None:
    """As in files of phones that hold a second picture or a film (MPO, motion photos)."""
    expected = decoded(FORMS["baseline"], reduction)

    for tail in (FORMS["grey"], b"MotionPhoto_Data" + bytes(1000)):
        assert np.array_equal(decoded(FORMS["baseline"] + tail, reduction).pixels, expected.pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_turned_photo_is_upright_at_every_reduction(orientation: int, reduction: int) -> None:
    data = files.encoded(picture(), "JPEG", quality=95, exif=files.exif(orientation))
    with Image.open(io.BytesIO(data)) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))

    photo = decoded(data, reduction)

    assert (photo.height, photo.width) == upright.shape[:2]
    assert difference(photo.pixels, means(upright, reduction)) < 2


def test_a_turned_photo_is_reduced_only_if_no_pixel_reaches_over_its_edge() -> None:
    turned = files.encoded(picture(188, 126), "JPEG", exif=files.exif(6))
    upright = files.encoded(picture(188, 126), "JPEG")

    def possible(data: bytes) -> list[int]:
        encoded = open_file(data, read_header(data, LIMITS))
        return [most for most in REDUCTIONS if encoded.coarsest(most) == most]

    assert possible(turned) == [2]
    assert possible(upright) == REDUCTIONS


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
def test_other_formats_are_never_reduced(format_name: str) -> None:
    data = files.encoded(picture(), format_name)
    encoded = open_file(data, read_header(data, LIMITS))

    assert encoded.coarsest(8) == 1
    with pytest.raises(ValueError, match="reduction of 2"):
        decode_at(encoded, 2)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_colours_of_a_profile_become_those_of_srgb_at_every_reduction(reduction: int) -> None:
    image = Image.new("RGB", (64, 64), (200, 100, 100))
    data = files.encoded(image, "JPEG", quality=100, icc_profile=files.display_p3())

    # Computed from the primaries: P3 (200, 100, 100) is sRGB (214.9, 92.6, 96.6).
    assert np.abs(decoded(data, reduction).pixels.astype(int) - [215, 93, 97]).max() <= 2


def test_a_profile_that_says_srgb_costs_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = files.encoded(picture(), "JPEG", icc_profile=srgb)

    assert decode_at(open_file(data, read_header(data, LIMITS))).to_srgb is None


def test_a_header_that_contradicts_the_picture_is_refused() -> None:
    data = FORMS["baseline"]
    header = replace(read_header(data, LIMITS), width=WIDTH + 8)

    for reduction in [1, *REDUCTIONS]:
        with pytest.raises(InvalidImage, match="its header says"):
            decoding.decode_at(open_file(data, header), reduction)


@pytest.mark.parametrize("form", ["RGB", "CMYK"])
@pytest.mark.parametrize("size", [(1, 4000), (4000, 2), (7, 3000)])
def test_a_photo_thinner_than_a_reduction_is_decoded_at_a_finer_one(
    form: str, size: tuple[int, int]
) -> None:
    """Pillow, which decodes what is CMYK or damaged, divides by what is left of the thin side."""
    data = files.encoded(picture(*size).convert(form), "JPEG", quality=90)
    encoded = open_file(data, read_header(data, LIMITS))

    reduction = encoded.coarsest(8)
    photo = decode_at(encoded, reduction)

    assert reduction <= min(size) < 2 * reduction
    assert photo.pixels.shape[:2] == (-(-size[1] // reduction), -(-size[0] // reduction))
    with pytest.raises(ValueError, match="cannot be decoded"):
        decode_at(encoded, 2 * reduction)
