"""The selfies that are searched with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.kit.analyze import Policy, analyses
from bench.kit.photos import selfies
from bench.kit.picture_source import PictureSource
from bench.kit.processes import Service
from bench.load.requests import Selfie


class NoSelfies(Exception):
    """No selfie shows one face, so there is nothing to search with."""


def probes_of(
    inference: Service, source: PictureSource, pictures: Sequence[int], folder: Path | None
) -> list[Selfie]:
    """The selfies made of these pictures on which the service itself sees one face.

    A refusal is cheaper than an answer and would flatter the figures. pictures: as
    `selfie_pictures` gave them. folder: of the photos; None: the test data. Raises NoSelfies.
    """
    photos = selfies(len(pictures), folder=folder)
    seen = analyses(inference.address, photos, Policy.SEARCH)
    probes = [
        Selfie(photo, source.person(picture))
        for photo, picture, answer in zip(photos, pictures, seen, strict=True)
        if answer.faces_counted == 1
    ]
    if not probes:
        raise NoSelfies("none of the photos shows one face; name another folder with --photos")
    return probes
