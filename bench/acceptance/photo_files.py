"""The photos of the base as folders, one for each collection, as `facesearch index` takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.acceptance.variants import PhotoSet

_STEP = 1_000
_SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp"}


@dataclass(frozen=True, slots=True)
class Collection:
    """What goes into one collection."""

    name: str
    folder: Path
    photos: int


def write_photos(
    photos: PhotoSet,
    count: int,
    names: Sequence[str],
    folder: Path,
    say: Callable[[str], None],
) -> list[Collection]:
    """Write so many photos, dealt out to the collections in turns.

    A file is called <person>/<number>, and so is its photo then: whom a search found can be told
    from the name. say: gets a line of progress now and then.
    """
    counts = [0] * len(names)
    for number in range(count):
        place = number % len(names)
        data = photos.photo(number)
        name = f"{photos.person(number)}/{number:06}{_suffix_of(data)}"
        file = folder / str(place) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        counts[place] += 1
        if number and number % _STEP == 0:
            say(f"{number} of {count} photos written")
    return [
        Collection(name, folder / str(place), counts[place]) for place, name in enumerate(names)
    ]


def _suffix_of(data: bytes) -> str:
    return next((end for start, end in _SUFFIXES.items() if data.startswith(start)), ".jpg")
