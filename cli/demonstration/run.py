"""One run of the demo against a service of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from cli.demonstration.photos import DemoPhoto
from cli.demonstration.selfies import selfie_of
from cli.errors import CommandError
from cli.rest.answers import Enrolled, MatchRow
from cli.rest.client import EdgeClient, Refused

COLLECTION = "demo"
_TOP_K = 4
_SELFIES = 12
"""At most, over all photos."""
_SELFIES_A_PHOTO = 6
# Other versions of a photo: (scale, degrees, JPEG quality).
_VERSIONS = ((0.7, 6.0, 70), (1.3, -5.0, 60), (0.85, 4.0, 80))


@dataclass(frozen=True, slots=True)
class Taken:
    """A photo in the base, or one that could not be taken."""

    photo: DemoPhoto
    image: bytes
    answer: Enrolled | None
    refusal: str = ""

    @property
    def faces(self) -> int:
        return 0 if self.answer is None else len(self.answer.faces)

    @property
    def is_as_expected(self) -> bool:
        if self.photo.shows_people is None:
            return True
        return self.answer is not None and (self.faces > 0) == self.photo.shows_people


@dataclass(frozen=True, slots=True)
class Searched:
    """One search, and what came."""

    name: str
    """Such as "t1.jpg, face 2"."""
    wanted: str
    """The photo that the selfie was cut from."""
    selfie: bytes
    face: tuple[float, float, float, float] | None
    matches: Sequence[MatchRow]
    refusal: str = ""

    @property
    def is_hit(self) -> bool:
        return bool(self.matches) and self.matches[0].photo_id == self.wanted


async def enrol(client: EdgeClient, photos: Sequence[DemoPhoto]) -> list[Taken]:
    """Put the photos in, one after the other."""
    taken = []
    for photo in photos:
        image = await asyncio.to_thread(photo.path.read_bytes)
        try:
            answer = await client.put_photo(photo.photo_id, COLLECTION, image)
        except Refused as error:
            taken.append(Taken(photo, image, None, error.reason))
        else:
            taken.append(Taken(photo, image, answer))
    if not any(one.faces for one in taken):
        raise CommandError("no face was found on any photo", "name a folder of photos of people")
    return taken


async def search(client: EdgeClient, taken: Sequence[Taken]) -> list[Searched]:
    """A selfie of each face, the largest first, from another version of its photo."""
    searched: list[Searched] = []
    for one in taken:
        faces = one.answer.faces[:_SELFIES_A_PHOTO] if one.answer is not None else ()
        for number, face in enumerate(faces):
            if len(searched) == _SELFIES:
                return searched
            scale, degrees, quality = _VERSIONS[number % len(_VERSIONS)]
            selfie = await asyncio.to_thread(
                selfie_of,
                one.image,
                face.bbox.rectangle,
                scale=scale,
                degrees=degrees,
                quality=quality,
            )
            searched.append(await _search(client, one.photo.photo_id, number, selfie))
    return searched


async def _search(client: EdgeClient, photo_id: str, number: int, selfie: bytes) -> Searched:
    name = f"{photo_id}, face {number + 1}"
    try:
        found, _ = await client.search(
            selfie, collections=(COLLECTION,), top_k=_TOP_K, threshold=None
        )
    except Refused as error:
        return Searched(name, photo_id, selfie, None, (), error.reason)
    return Searched(name, photo_id, selfie, found.query.bbox.rectangle, found.results)
