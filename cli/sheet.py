"""The contact sheet of a search: the selfie, and the photos that show the person, faces framed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont, ImageOps

Rectangle = tuple[float, float, float, float]
"""x, y, width, height in pixels of the photo as a person sees it."""

Colour = tuple[int, int, int]

_TILE = 300
_CAPTION = 58
_GAP = 20
_MARGIN = 36
_HEADER = 76
_INSET = 96
_FRAME = 6
# A face that takes less of its tile than this is shown again, enlarged, in the corner.
_SMALL_FACE = 0.22
_BACKGROUND = (250, 250, 248)
_TILE_BACKGROUND = (234, 234, 230)
_INK = (28, 30, 34)
_FAINT = (118, 122, 130)
_ACCENT = (0, 122, 90)
_SELFIE = (36, 84, 196)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the sheet."""

    image: bytes | None
    """As it was enrolled; None: the bytes cannot be had any more."""
    face: Rectangle | None
    title: str
    """Such as "1 · 0.731"."""
    caption: str
    """Such as the photo_id and the collection."""


def contact_sheet(
    selfie: Tile, results: Sequence[Tile], *, heading: str, columns: int = 5
) -> bytes:
    """A PNG: the heading, the selfie, then the results row by row, as they come."""
    tiles = [selfie, *results]
    across = min(columns, len(tiles))
    down = math.ceil(len(tiles) / across)
    width = 2 * _MARGIN + across * _TILE + (across - 1) * _GAP
    height = _HEADER + down * (_TILE + _CAPTION) + (down - 1) * _GAP + _MARGIN
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text(
        (_MARGIN, _HEADER / 2), _fit(heading, 26, width - 2 * _MARGIN), _INK, _font(26), anchor="lm"
    )
    for number, tile in enumerate(tiles):
        x = _MARGIN + number % across * (_TILE + _GAP)
        y = _HEADER + number // across * (_TILE + _CAPTION + _GAP)
        _draw_tile(sheet, (x, y), tile, _SELFIE if number == 0 else _ACCENT)
    stored = BytesIO()
    sheet.save(stored, "PNG", optimize=True)
    return stored.getvalue()


def _draw_tile(sheet: Image.Image, at: tuple[int, int], tile: Tile, colour: Colour) -> None:
    x, y = at
    draw = ImageDraw.Draw(sheet)
    draw.rounded_rectangle((x, y, x + _TILE - 1, y + _TILE - 1), 8, fill=_TILE_BACKGROUND)
    photo = _open(tile.image) if tile.image is not None else None
    if photo is None:
        middle = (x + _TILE / 2, y + _TILE / 2)
        draw.text(middle, "photo not available", _FAINT, _font(16), anchor="mm")
    else:
        _draw_photo(sheet, at, photo, tile.face, colour)
    draw.text((x, y + _TILE + 8), _fit(tile.title, 19, _TILE), colour, _font(19))
    draw.text((x, y + _TILE + 33), _fit(tile.caption, 15, _TILE), _FAINT, _font(15))


def _draw_photo(
    sheet: Image.Image,
    at: tuple[int, int],
    photo: Image.Image,
    face: Rectangle | None,
    colour: Colour,
) -> None:
    scale = _TILE / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    x, y = at[0] + (_TILE - size[0]) // 2, at[1] + (_TILE - size[1]) // 2
    sheet.paste(photo.resize(size, Image.Resampling.LANCZOS), (x, y))
    if face is None:
        return
    left, top, wide, high = (round(value * scale) for value in face)
    _draw_frame(
        sheet,
        (
            max(x, x + left),
            max(y, y + top),
            min(x + size[0], x + left + wide),
            min(y + size[1], y + top + high),
        ),
        colour,
    )
    if max(wide, high) < _SMALL_FACE * _TILE:
        _draw_inset(sheet, at, photo, face, colour)


def _draw_inset(
    sheet: Image.Image, at: tuple[int, int], photo: Image.Image, face: Rectangle, colour: Colour
) -> None:
    """The face enlarged, in the corner of the tile that is farthest from it."""
    x, y, width, height = face
    centre = (x + width / 2, y + height / 2)
    reach = 0.8 * max(width, height)
    around = (centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach)
    zoomed = photo.transform(
        (_INSET, _INSET), Image.Transform.EXTENT, around, Image.Resampling.BICUBIC
    )
    far = _TILE - _INSET - _FRAME
    left = at[0] + (far if centre[0] < photo.width / 2 else _FRAME)
    top = at[1] + (far if centre[1] < photo.height / 2 else _FRAME)
    sheet.paste(zoomed, (left, top))
    _draw_frame(sheet, (left, top, left + _INSET, top + _INSET), colour)


def _draw_frame(sheet: Image.Image, inside: tuple[int, int, int, int], colour: Colour) -> None:
    """A coloured frame between two white lines around `inside`: it shows on any photo."""
    left, top, right, bottom = inside
    draw = ImageDraw.Draw(sheet)
    for distance, line in ((1, "white"), (2, colour), (3, colour), (4, "white")):
        box = (left - distance, top - distance, right + distance - 1, bottom + distance - 1)
        if box[0] <= box[2] and box[1] <= box[3]:
            draw.rectangle(box, outline=line)


def _open(data: bytes) -> Image.Image | None:
    """The photo as a person sees it; None if it cannot be decoded here."""
    try:
        with Image.open(BytesIO(data)) as stored:
            return ImageOps.exif_transpose(stored).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _fit(text: str, size: int, width: int) -> str:
    """The text, its middle left out if it is wider than `width` pixels: ends tell files apart."""
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept > 2:
        kept -= 1
        shorter = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
        if font.getlength(shorter) <= width:
            return shorter
    return "…"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu where it is installed (it has Cyrillic, Greek and more), else Pillow's own."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)
