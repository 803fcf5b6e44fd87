"""Damage that knows nothing of formats."""

from __future__ import annotations

from random import Random

_HEADER_BYTES = 64
"""Where formats keep what decides the rest."""


def some_bits(dice: Random, data: bytes, _: bytes) -> bytes:
    """One to sixteen bits anywhere are wrong, as of a bad disk or memory."""
    return _flipped(dice, data, len(data))


def bits_of_the_header(dice: Random, data: bytes, _: bytes) -> bytes:
    """Some of the first bits are wrong."""
    return _flipped(dice, data, min(len(data), _HEADER_BYTES))


def a_run_overwritten(dice: Random, data: bytes, _: bytes) -> bytes:
    """A run of bytes is noise, zeros or ones."""
    start, end = _range(dice, data)
    filling = dice.choice(
        (dice.randbytes(end - start), bytes(end - start), b"\xff" * (end - start))
    )
    return data[:start] + filling + data[end:]


def cut_off(dice: Random, data: bytes, _: bytes) -> bytes:
    """It ends too early."""
    return data[: dice.randrange(len(data) + 1)]


def zeros_to_the_end(dice: Random, data: bytes, _: bytes) -> bytes:
    """The rest was never written, as after a crash of the machine that kept it."""
    at = dice.randrange(len(data) + 1)
    return data[:at] + bytes(len(data) - at)


def a_run_missing(dice: Random, data: bytes, _: bytes) -> bytes:
    """A packet was lost on the way."""
    start, end = _range(dice, data)
    return data[:start] + data[end:]


def a_run_twice(dice: Random, data: bytes, _: bytes) -> bytes:
    """A packet came twice."""
    start, end = _range(dice, data)
    return data[:end] + data[start:]


def a_run_inserted(dice: Random, data: bytes, other: bytes) -> bytes:
    """A piece of another file stands in it."""
    at = dice.randrange(len(data) + 1)
    start, end = _range(dice, other)
    return data[:at] + other[start:end] + data[at:]


def spliced(dice: Random, data: bytes, other: bytes) -> bytes:
    """The head of one file, the tail of another."""
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def another_head(dice: Random, data: bytes, other: bytes) -> bytes:
    """The first bytes are those of another file, often of another format."""
    size = dice.randrange(2, 33)
    return other[:size] + data[size:]


def concatenated(dice: Random, data: bytes, other: bytes) -> bytes:
    """Two files in one."""
    return data + bytes(dice.choice((0, 0, 1, 7))) + other


def noise_at_the_end(dice: Random, data: bytes, _: bytes) -> bytes:
    """Something follows the picture."""
    return data + dice.randbytes(dice.randrange(1, 4096))


def _flipped(dice: Random, data: bytes, within: int) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 17) if within else 0):
        changed[dice.randrange(within)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _range(dice: Random, data: bytes) -> tuple[int, int]:
    """Start and end of a short run, sometimes of a long one."""
    longest = max(1, len(data) // dice.choice((2, 16, 128)))
    start = dice.randrange(len(data) + 1)
    return start, min(len(data), start + dice.randrange(1, longest + 1))
