"""What comes in: every format, mode and orientation that is taken, and all that is not."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile, ImageOps

from inference.errors import ImageTooLarge, InvalidImage, ItemError
from inference.pipeline.decode import decode, read_header
from inference.pipeline.faces import DecodeLimits, Header, Photo
from tests.unit.inference.pipeline import files

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
WIDTH, HEIGHT = 48, 32


def picture() -> Image.Image:
    """Smooth, and different in every corner."""
    across, down = np.meshgrid(np.linspace(0, 255, WIDTH), np.linspace(0, 255, HEIGHT))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=-1).round().astype(np.uint8))


WHOLE = {
    "baseline": files.encoded(picture(), "JPEG", quality=95, subsampling=0),
    "progressive": files.encoded(picture(), "JPEG", quality=95, subsampling=0, progressive=True),
    "png": files.encoded(picture(), "PNG"),
    "png palette": files.encoded(picture().quantize(256), "PNG"),
    "webp": files.encoded(picture(), "WEBP", quality=95),
    "webp lossless": files.encoded(picture(), "WEBP", lossless=True),
    "webp extended": files.encoded(picture(), "WEBP", exif=files.exif(1)),
    "webp animated": files.encoded(
        picture(), "WEBP", save_all=True, append_images=[picture().rotate(180)], lossless=True
    ),
}


FINEST: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
}
"""Options that keep the picture as it is, or nearly."""


def difference(photo: Photo, image: Image.Image) -> float:
    """Mean levels between a decoded photo and the picture it shows."""
    expected = np.asarray(image.convert("RGB")).astype(np.int16)
    assert photo.pixels.shape == expected.shape
    return float(np.abs(photo.pixels - expected).mean())


@pytest.mark.parametrize(
    ("name", "format_name"),
    [(name, "JPEG") for name in ("baseline", "progressive")]
    + [(name, "PNG") for name in ("png", "png palette")]
    + [(name, "WEBP") for name in WHOLE if name.startswith("webp")],
)
def test_the_header_is_read_without_the_pixels(name: str, format_name: str) -> None:
    assert read_header(WHOLE[name], LIMITS) == Header(format_name, WIDTH, HEIGHT)


@pytest.mark.parametrize("name", WHOLE)
def test_every_format_gives_its_picture(name: str) -> None:
    photo = decode(WHOLE[name], LIMITS)

    # A palette of 256 colours is the coarsest of them.
    assert difference(photo, picture()) < 5
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.dtype == np.uint8
    assert (photo.width, photo.height, photo.reduction) == (WIDTH, HEIGHT, 1)


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_ends_too_early_is_refused_wherever_it_ends(name: str) -> None:
    data = WHOLE[name]

    for end in range(len(data)):
        with pytest.raises(InvalidImage):
            decode(data[:end], LIMITS)


@pytest.mark.parametrize("name", WHOLE)
@given(damage=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_damage_gives_a_picture_or_a_clear_error(name: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE[name])
    for place, value in damage:
        data[place % len(data)] = value

    try:
        photo = decode(bytes(data), LIMITS)
    except (InvalidImage, ImageTooLarge):
        return
    assert photo.pixels.shape == (photo.height, photo.width, 3)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_give_a_clear_error(data: bytes, magic: bytes) -> None:
    with pytest.raises(ItemError):
        decode(magic + data, LIMITS)


@pytest.mark.parametrize("format_name", ["BMP", "GIF", "TIFF", "ICO", "PPM", "TGA", "JPEG2000"])
def test_other_formats_are_refused_whatever_they_are_called(format_name: str) -> None:
    with pytest.raises(InvalidImage, match="not a JPEG, PNG or WebP"):
        read_header(files.encoded(picture(), format_name), LIMITS)


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        read_header(data, LIMITS)


def test_more_bytes_than_the_limit_are_refused_first() -> None:
    with pytest.raises(ImageTooLarge, match=r"101 bytes, at most 100"):
        read_header(b"x" * 101, DecodeLimits(100, 50_000_000))


@pytest.mark.parametrize(
    ("width", "height"), [(30_000, 30_000), (10_000, 6_000), (2**31 - 1, 2**31 - 1), (1, 40_000)]
)
def test_too_many_pixels_are_refused_from_the_header(width: int, height: int) -> None:
    bomb = files.png(width, height, bytes(1000))
    tracemalloc.start()

    with pytest.raises(ImageTooLarge):
        decode(bomb, LIMITS)

    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_jpeg_and_a_webp_bomb_are_refused_from_the_header() -> None:
    jpeg = bytearray(WHOLE["baseline"])
    frame = jpeg.index(b"\xff\xc0")
    struct.pack_into(">HH", jpeg, frame + 5, 60_000, 60_000)
    webp = bytearray(WHOLE["webp extended"])
    canvas = webp.index(b"VP8X") + 8 + 4
    webp[canvas : canvas + 6] = b"\xff" * 6

    for data in (bytes(jpeg), bytes(webp)):
        with pytest.raises(ImageTooLarge, match="pixels, at most"):
            read_header(data, LIMITS)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0)])
def test_an_image_without_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(InvalidImage):
        read_header(files.png(width, height, b""), LIMITS)


@pytest.mark.parametrize("size", [1, 20])
def test_a_tiny_image_is_an_image(size: int) -> None:
    photo = decode(files.encoded(Image.new("RGB", (size, size), "red"), "PNG"), LIMITS)

    assert photo.pixels[0, 0].tolist() == [255, 0, 0]


PACKED = files.packed(100 << 20)
P3 = files.display_p3()
ICC_SEGMENT = b"ICC_PROFILE\x00"

HEAVY = {
    "png profile": files.png_with(WHOLE["png"], files.png_chunk(b"iCCP", b"x\x00\x00" + PACKED)),
    "png zTXt": files.png_with(WHOLE["png"], files.png_chunk(b"zTXt", b"x\x00\x00" + PACKED)),
    "png iTXt": files.png_with(
        WHOLE["png"], files.png_chunk(b"iTXt", b"x\x00\x01\x00\x00\x00" + PACKED)
    ),
    "png many zTXt": files.png_with(
        WHOLE["png"],
        files.png_chunk(b"zTXt", b"x\x00\x00" + files.packed(1 << 20)) * 40,
    ),
    "png tEXt": files.png_with(WHOLE["png"], files.png_chunk(b"tEXt", b"x\x00" + bytes(5 << 20))),
    "png eXIf": files.png_with(WHOLE["png"], files.png_chunk(b"eXIf", bytes(5 << 20))),
    "jpeg profile": files.encoded(picture(), "JPEG", icc_profile=bytes(5 << 20)),
    "webp profile": files.encoded(picture(), "WEBP", icc_profile=bytes(5 << 20)),
    "webp exif": files.encoded(picture(), "WEBP", exif=bytes(5 << 20)),
}


@pytest.mark.parametrize("name", HEAVY)
def test_heavy_metadata_is_refused_and_memory_stays_flat(name: str) -> None:
    data = HEAVY[name]
    tracemalloc.start()

    with pytest.raises(ImageTooLarge, match="metadata"):
        decode(data, LIMITS)

    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("little", [True, False])
def test_a_turned_picture_is_upright(orientation: int, format_name: str, little: bool) -> None:
    block = files.exif(orientation, little=little)
    data = files.encoded(picture(), format_name, exif=block, **FINEST[format_name])

    photo = decode(data, LIMITS)

    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert photo.width == (HEIGHT if orientation >= 5 else WIDTH)
    assert difference(photo, upright) < 1.5


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        files.exif(0),
        files.exif(9),
        files.exif(6)[:-8],
        b"Exif\x00\x00garbage, not TIFF",
    ],
)
def test_a_broken_exif_block_means_upright(block: bytes) -> None:
    photo = decode(files.jpeg_with(WHOLE["baseline"], 0xE1, block), LIMITS)

    assert difference(photo, picture()) < 4


def test_cmyk_with_adobes_inversion_and_grey_are_taken() -> None:
    cmyk = files.encoded(picture().convert("CMYK"), "JPEG", quality=95)
    grey = files.encoded(picture().convert("L"), "JPEG", quality=95)

    assert difference(decode(cmyk, LIMITS), picture()) < 4
    assert difference(decode(grey, LIMITS), picture().convert("L")) < 4


@pytest.mark.parametrize("grey", [True, False])
def test_sixteen_bits_become_eight_by_scaling(grey: bool) -> None:
    pixels = np.asarray(picture())

    photo = decode(files.png16(pixels, grey=grey), LIMITS)

    expected = np.repeat(pixels[..., :1], 3, axis=-1) if grey else pixels
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 1


def test_what_is_transparent_shows_white_in_every_mode() -> None:
    half = Image.new("L", (WIDTH, HEIGHT), 255)
    half.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    colours = picture()
    rgba, grey = colours.copy(), colours.convert("L")
    rgba.putalpha(half)
    grey.putalpha(half)
    palette = colours.quantize(32)
    palette_png = files.encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))
    keyed = files.encoded(Image.new("RGB", (4, 4), (9, 8, 7)), "PNG", transparency=(9, 8, 7))

    for data in (
        files.encoded(rgba, "PNG"),
        files.encoded(rgba, "WEBP", lossless=True),
        files.encoded(grey, "PNG"),
    ):
        photo = decode(data, LIMITS)
        assert photo.pixels[5, 5].tolist() == [255, 255, 255]
        assert photo.pixels[5, WIDTH - 2].tolist() != [255, 255, 255]
    assert decode(palette_png, LIMITS).pixels[0, 0].tolist() == [255, 255, 255]
    assert decode(keyed, LIMITS).pixels[0, 0].tolist() == [255, 255, 255]


def test_half_transparent_is_half_white() -> None:
    data = files.encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")

    assert abs(int(decode(data, LIMITS).pixels[0, 0, 0]) - 127) <= 1


def test_sixteen_bit_grey_with_a_transparent_value_shows_white_there() -> None:
    rows = b"".join(b"\x00" + struct.pack(">2H", 1000, 40_000) for _ in range(2))
    key = files.png_chunk(b"tRNS", struct.pack(">H", 1000))

    photo = decode(files.png(2, 2, rows, depth=16, colour=0, before=key), LIMITS)

    assert photo.pixels[0].tolist() == [[255] * 3, [156] * 3]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_black_and_white_is_taken(mode: str) -> None:
    image = picture().convert(mode)

    assert difference(decode(files.encoded(image, "PNG"), LIMITS), image) == 0


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_colours_of_display_p3_become_those_of_srgb(format_name: str) -> None:
    image = Image.new("RGB", (16, 16), (200, 100, 100))
    data = files.encoded(image, format_name, icc_profile=P3, **FINEST[format_name])

    red, green, blue = (int(value) for value in decode(data, LIMITS).pixels[8, 8])

    # Computed from the primaries: P3 (200, 100, 100) is sRGB (214.9, 92.6, 96.6).
    assert abs(red - 215) <= 2
    assert abs(green - 93) <= 2
    assert abs(blue - 97) <= 2


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = files.encoded(picture(), "PNG", icc_profile=srgb)

    assert difference(decode(data, LIMITS), picture()) == 0


@pytest.mark.parametrize("profile", [b"garbage", P3[:200], bytes(1000)])
def test_a_broken_profile_is_passed_over(profile: bytes) -> None:
    data = files.encoded(picture(), "PNG", icc_profile=profile)

    assert difference(decode(data, LIMITS), picture()) == 0


def test_a_profile_for_other_colours_is_passed_over() -> None:
    data = files.encoded(picture().convert("L"), "PNG", icc_profile=P3)

    assert difference(decode(data, LIMITS), picture().convert("L")) == 0


def test_an_animation_gives_its_first_frame() -> None:
    frames = {"save_all": True, "append_images": [Image.new("RGB", (WIDTH, HEIGHT), "red")] * 3}

    for data in (
        files.encoded(picture(), "WEBP", lossless=True, **frames),
        files.encoded(picture(), "PNG", **frames),
    ):
        assert difference(decode(data, LIMITS), picture()) < 1


def test_the_switches_of_pillow_play_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)

    assert difference(decode(WHOLE["png"], LIMITS), picture()) == 0
    for name in WHOLE:
        with pytest.raises(InvalidImage):
            decode(WHOLE[name][: len(WHOLE[name]) // 2], LIMITS)


def test_a_name_says_nothing(shared: Path) -> None:
    folder = shared / "data" / "photos"

    assert read_header((folder / "RD_d1.jpeg").read_bytes(), LIMITS).format == "WEBP"
    assert read_header((folder / "bulk_kun.jpg").read_bytes(), LIMITS).format == "PNG"


@pytest.mark.parametrize("length", [0, 1, 9])
def test_a_webp_with_a_second_header_that_is_too_short_is_damaged(length: int) -> None:
    """At the end of the file there was nothing to read its flags from (found by mutations)."""
    chunk = b"VP8X" + length.to_bytes(4, "little") + bytes(length + length % 2)
    whole = WHOLE["webp extended"] + chunk
    data = whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
    with pytest.raises(InvalidImage, match="header chunk is too short"):
        decode(data, LIMITS)
