"""A photo that cannot be read is told from a place that gives nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping

import pytest

from cli.indexing.patience import Patience
from cli.indexing.reading import PatientReader
from cli.indexing.source import (
    FoundPhoto,
    PhotoContent,
    SourceGaveUp,
    SourceTrouble,
    UnreadablePhoto,
    Unusable,
)

AT_ONCE = Patience(give_up_after_seconds=60, first_delay_seconds=0, longest_delay_seconds=0)
NEVER_PATIENT = Patience(give_up_after_seconds=-1, first_delay_seconds=0, longest_delay_seconds=0)
CONTENT = PhotoContent(b"photo", "0" * 64)


class Place:
    """A source that does as its script says, and then gives what is asked for."""

    name = "a place"
    total = None
    passed_over: Mapping[str, int] = {}

    def __init__(self, known: str | None = None) -> None:
        self.script: dict[str, list[Exception]] = {}
        self.reads = 0
        self._known = known

    async def photos(self) -> AsyncGenerator[FoundPhoto | Unusable, None]:
        return
        yield  # a generator

    def known_sha256(self, photo: FoundPhoto) -> str | None:
        return self._known

    async def read(self, photo: FoundPhoto) -> PhotoContent:
        self.reads += 1
        if errors := self.script.get(photo.photo_id):
            raise errors.pop(0)
        return CONTENT


def photo(name: str) -> FoundPhoto:
    return FoundPhoto(name, name)


def away() -> Exception:
    return SourceTrouble("the bucket is away", is_temporary=True)


def denied() -> Exception:
    return SourceTrouble("the key may not read", is_temporary=False)


def always(trouble: Callable[[], Exception]) -> list[Exception]:
    return [trouble() for _ in range(99)]


async def test_a_photo_whose_reading_breaks_off_is_read_again() -> None:
    place = Place()
    place.script["a"] = [away(), away(), away(), away()]
    assert await PatientReader(place, AT_ONCE)(photo("a")) == CONTENT
    assert place.reads == 5


async def test_a_photo_that_always_breaks_off_fails_alone() -> None:
    place = Place()
    place.script["a"] = always(away)
    read = PatientReader(place, AT_ONCE)
    with pytest.raises(UnreadablePhoto, match="the bucket is away"):
        await read(photo("a"))
    assert place.reads == 5
    assert await read(photo("b")) == CONTENT


async def test_a_place_that_gives_nothing_for_too_long_ends_the_run() -> None:
    place = Place()
    place.script["a"] = always(away)
    with pytest.raises(SourceGaveUp, match=r"no photo could be read .*the bucket is away"):
        await PatientReader(place, NEVER_PATIENT)(photo("a"))


async def test_every_photo_that_is_read_begins_the_patience_anew() -> None:
    place = Place()
    read = PatientReader(place, NEVER_PATIENT)
    for name in "abc":
        place.script[name] = [away()]
        assert await read(photo(name)) == CONTENT


async def test_a_photo_that_may_not_be_read_is_not_asked_for_again() -> None:
    place = Place()
    place.script["a"] = always(denied)
    with pytest.raises(UnreadablePhoto, match="may not read"):
        await PatientReader(place, AT_ONCE)(photo("a"))
    assert place.reads == 1


async def test_a_key_that_may_read_nothing_ends_the_run() -> None:
    place = Place()
    read = PatientReader(place, AT_ONCE)
    names = [str(number) for number in range(20)]
    place.script = {name: always(denied) for name in names}
    for name in names[:-1]:
        with pytest.raises(UnreadablePhoto):
            await read(photo(name))
    with pytest.raises(SourceGaveUp, match="may not read"):
        await read(photo(names[-1]))


@pytest.mark.parametrize("is_read_now", [True, False], ids=["read now", "read in an earlier run"])
async def test_any_number_may_be_refused_where_some_were_not(is_read_now: bool) -> None:
    place = Place(known=None if is_read_now else "0" * 64)
    read = PatientReader(place, AT_ONCE)
    if is_read_now:
        await read(photo("good"))
    else:
        assert read.known_sha256(photo("good"))
    for number in range(50):
        place.script[str(number)] = [denied()]
        with pytest.raises(UnreadablePhoto):
            await read(photo(str(number)))
