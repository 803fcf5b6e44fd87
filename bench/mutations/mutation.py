"""Damaged images without end, each made of its seed and number alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from bench.mutations import bytewise, structural
from bench.mutations.originals import Original

Damage = Callable[[Random, bytes, bytes], bytes]
"""From the dice, a file and another one to a damaged file."""


def _of_blocks(change: structural.BlockChange, dice: Random, data: bytes, _: bytes) -> bytes:
    return structural.changed(change, dice, data)


_BYTEWISE: tuple[Damage, ...] = (
    bytewise.some_bits,
    bytewise.bits_of_the_header,
    bytewise.a_run_overwritten,
    bytewise.cut_off,
    bytewise.zeros_to_the_end,
    bytewise.a_run_missing,
    bytewise.a_run_twice,
    bytewise.a_run_inserted,
    bytewise.spliced,
    bytewise.another_head,
    bytewise.concatenated,
    bytewise.noise_at_the_end,
)
_STRUCTURAL: tuple[structural.BlockChange, ...] = (
    structural.blocks_swapped,
    structural.a_block_missing,
    structural.a_block_often,
    structural.a_wrong_length,
    structural.a_damaged_block,
    structural.a_short_block,
    structural.other_sides,
    structural.odd_metadata,
    structural.markers_in_the_picture,
)
DAMAGES: dict[str, Damage] = {one.__name__: one for one in _BYTEWISE} | {
    one.__name__: partial(_of_blocks, one) for one in _STRUCTURAL
}
_MOST_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Mutation:
    """One damaged image."""

    number: int
    original: str
    damages: tuple[str, ...]
    """What was done to it, in order."""
    data: bytes

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.number}: {self.original}, {' + '.join(self.damages)}"


def mutation(seed: int, number: int, originals: Sequence[Original]) -> Mutation:
    """Number `number` of a series. The same arguments give the same bytes, everywhere."""
    dice = Random(f"{seed} {number}")
    original, other = originals[number % len(originals)], dice.choice(originals)
    # Blocks are there to be found in a whole file only, so they come first.
    wanted = dice.sample(sorted(DAMAGES), dice.choice((1, 1, 1, 2, _MOST_AT_ONCE)))
    names = sorted(wanted, key=lambda name: name in {one.__name__ for one in _BYTEWISE})
    data = original.data
    for name in names:
        data = DAMAGES[name](dice, data, other.data)
    return Mutation(number, original.name, tuple(names), data)
