"""Damage to the blocks of a file, the frames around them left right."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from random import Random

from bench.mutations.blocks import JPEG, PNG, RAW, WEBP, Block, Layout, layout_of

_SIDES = (0, 1, 2, 255, 256, 4_096, 16_383, 16_384, 32_766, 32_767, 65_500, 65_535)
_LONG_SIDES = (*_SIDES, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_MARKERS = bytes(
    (0x00, 0x01, 0xC0, 0xC1, 0xC2, 0xC4, 0xD0, 0xD7, 0xD8, 0xD9, 0xDA, 0xDD, 0xE1, 0xFF)
)
_FRAMES = frozenset(bytes((0xFF, code)) for code in range(0xC0, 0xD0)) - {
    bytes((0xFF, code)) for code in (0xC4, 0xC8, 0xCC)
}

BlockChange = Callable[[Random, Layout, list[Block]], list[Block]]


def changed(change: BlockChange, dice: Random, data: bytes) -> bytes:
    """The file with its blocks changed; as it is if it has none."""
    layout = layout_of(data)
    blocks = layout.split(data) if layout else []
    return layout.join(change(dice, layout, blocks)) if layout and blocks else data


def blocks_swapped(dice: Random, _: Layout, blocks: list[Block]) -> list[Block]:
    """Two blocks are in each other's place."""
    first, second = dice.randrange(len(blocks)), dice.randrange(len(blocks))
    swapped = list(blocks)
    swapped[first], swapped[second] = blocks[second], blocks[first]
    return swapped


def a_block_missing(dice: Random, _: Layout, blocks: list[Block]) -> list[Block]:
    """One block is gone."""
    gone = dice.randrange(len(blocks))
    return [*blocks[:gone], *blocks[gone + 1 :]]


def a_block_often(dice: Random, _: Layout, blocks: list[Block]) -> list[Block]:
    """One block stands there many times."""
    at = dice.randrange(len(blocks))
    return [*blocks[:at], *[blocks[at]] * dice.choice((2, 3, 60)), *blocks[at + 1 :]]


def a_wrong_length(dice: Random, _: Layout, blocks: list[Block]) -> list[Block]:
    """A block says that it is longer or shorter than it is."""
    at = dice.randrange(len(blocks))
    size = len(blocks[at].content)
    wrong = dice.choice(
        (0, 1, max(0, size - 1), size + 1, size + 2, 2 * size, 0xFFFF, (1 << 32) - 1)
    )
    return _with(blocks, at, replace(blocks[at], declared=wrong))


def a_damaged_block(dice: Random, _: Layout, blocks: list[Block]) -> list[Block]:
    """The content of a block is wrong, its frame and checksum are right."""
    at = dice.randrange(len(blocks))
    content = bytearray(blocks[at].content)
    for _unused in range(dice.randrange(1, 9) if content else 0):
        content[dice.randrange(len(content))] = dice.randrange(256)
    return _with(blocks, at, replace(blocks[at], content=bytes(content)))


def a_short_block(dice: Random, _: Layout, blocks: list[Block]) -> list[Block]:
    """A block holds less than it must, and says so."""
    at = dice.randrange(len(blocks))
    content = blocks[at].content
    return _with(
        blocks, at, replace(blocks[at], content=content[: dice.randrange(len(content) + 1)])
    )


def other_sides(dice: Random, layout: Layout, blocks: list[Block]) -> list[Block]:
    """The header says another width and height: none, or far too much."""
    for at, block in enumerate(blocks):
        if (content := _resized(dice, layout, block)) is not None:
            return _with(blocks, at, replace(block, content=content))
    return blocks


def odd_metadata(dice: Random, layout: Layout, blocks: list[Block]) -> list[Block]:
    """A colour profile, an EXIF block or a text that is broken, endless or unpacks to much."""
    content = dice.choice((_odd_exif, _odd_profile, _odd_text))(dice)
    match layout.name:
        case JPEG.name:
            kind = dice.choice((b"\xff\xe1", b"\xff\xe2", b"\xff\xfe", b"\xff\xee", b"\xff\xe0"))
            head = dice.choice((b"Exif\x00\x00", b"ICC_PROFILE\x00\x01\x01", b"Adobe\x00", b""))
            block = Block(kind, (head + content)[:65_533])
        case PNG.name:
            kind = dice.choice(
                (b"iCCP", b"eXIf", b"zTXt", b"iTXt", b"tEXt", b"tRNS", b"gAMA", b"acTL")
            )
            head = dice.choice((b"x\x00\x00", b"x\x00\x01\x00\x00\x00", b""))
            packed = zlib.compress(content) if dice.random() < 0.7 else content
            block = Block(kind, head + packed)
        case _:
            block = Block(dice.choice((b"ICCP", b"EXIF", b"XMP ", b"ALPH", b"ANIM")), content)
    at = dice.randrange(min(3, len(blocks)) + 1)
    return [*blocks[:at], block, *blocks[at:]]


def markers_in_the_picture(dice: Random, layout: Layout, blocks: list[Block]) -> list[Block]:
    """JPEG markers, or their likes, stand within the compressed picture."""
    at = max(range(len(blocks)), key=lambda number: len(blocks[number].content))
    content = bytearray(blocks[at].content)
    for _ in range(dice.randrange(1, 6)):
        place = dice.randrange(len(content) + 1)
        content[place:place] = bytes((0xFF, dice.choice(_MARKERS)))
    kind = blocks[at].kind if layout is not JPEG or blocks[at].kind != RAW else RAW
    return _with(blocks, at, Block(kind, bytes(content)))


def _with(blocks: list[Block], at: int, block: Block) -> list[Block]:
    return [*blocks[:at], block, *blocks[at + 1 :]]


def _resized(dice: Random, layout: Layout, block: Block) -> bytes | None:
    """The content of a block with another size in it; None: it holds none."""
    content = block.content
    short = [dice.choice((dice.choice(_SIDES), dice.randrange(65_536))) for _ in range(2)]
    if layout is JPEG and block.kind in _FRAMES:
        return content[:1] + b"".join(one.to_bytes(2, "big") for one in short) + content[5:]
    if layout is PNG and block.kind == b"IHDR":
        long = [dice.choice(_LONG_SIDES) for _ in range(2)]
        return b"".join(one.to_bytes(4, "big") for one in long) + content[8:]
    if layout is WEBP:
        match block.kind:
            case b"VP8X":
                return (
                    content[:4]
                    + b"".join(one.to_bytes(3, "little") for one in short)
                    + content[10:]
                )
            case b"VP8 ":
                return (
                    content[:6]
                    + b"".join(one.to_bytes(2, "little") for one in short)
                    + content[10:]
                )
            case b"VP8L":
                return content[:1] + dice.randbytes(4) + content[5:]
            case _:
                return None
    return None


def _odd_exif(dice: Random) -> bytes:
    """A TIFF structure whose tables point anywhere, itself included."""
    order = dice.choice((b"II*\x00", b"MM\x00*", b"II\x00*"))
    side = "little" if order.startswith(b"II") else "big"
    entries = dice.choice((0, 1, 3, 65_535))
    first = dice.choice((8, 0, 4, 1 << 31, (1 << 32) - 1)).to_bytes(
        4, "big" if side == "big" else "little"
    )
    table = b"".join(
        dice.choice((b"\x01\x12", b"\x12\x01", dice.randbytes(2))) + dice.randbytes(10)
        for _ in range(min(entries, 8))
    )
    return order + first + entries.to_bytes(2, "big" if side == "big" else "little") + table


def _odd_profile(dice: Random) -> bytes:
    """Something with a profile's signature, its size and tags being anything."""
    head = bytearray(dice.randbytes(128))
    head[0:4] = dice.choice((b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x02\x00"))
    head[12:24] = b"mntr" + dice.choice((b"RGB ", b"GRAY", b"CMYK", b"Lab ")) + b"XYZ "
    head[36:40] = b"acsp"
    tags = dice.choice((0, 3, 100, 0xFFFFFFFF)).to_bytes(4, "big")
    return bytes(head) + tags + dice.randbytes(dice.randrange(512))


def _odd_text(dice: Random) -> bytes:
    """Nothing, noise, or a few hundred kilobytes of the same that pack to nothing."""
    return dice.choice((b"", dice.randbytes(200), bytes(1 << 18), b"\xff" * 1000))
