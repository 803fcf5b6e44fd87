"""Which pairs are made of an image set. Light: the command line imports it at every start."""

from __future__ import annotations

from enum import StrEnum


class Draw(StrEnum):
    """Whose pairs of one person are taken."""

    PEOPLE = "people"
    """They go round the people with two images or more, one new pair each: the harder question."""
    PAIRS = "pairs"
    """They are drawn from all there are: most are of those with many images."""
