"""Sending photos to a service that may be busy, away or of another opinion."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.indexing.folders import FolderPhotos
from cli.indexing.ledger import Listed
from cli.indexing.patience import Patience
from cli.indexing.reading import PatientReader
from cli.indexing.source import FoundPhoto, PhotoContent, PhotoSource, Unusable
from cli.indexing.tally import Ending, Outcome, Tally
from cli.indexing.upload import ServiceGaveUp, Uploader
from cli.rest.answers import Bounds, Enrolled, EnrolledFace, Problem, RefusedFace
from cli.rest.client import Refused, ServiceAway

AT_ONCE = Patience(give_up_after_seconds=5, first_delay_seconds=0, longest_delay_seconds=0)
NEVER_PATIENT = Patience(give_up_after_seconds=-1, first_delay_seconds=0, longest_delay_seconds=0)


def refused(status: int, code: str = "", retry_after: float | None = None) -> Refused:
    return Refused(status, Problem(code=code, detail=f"because of {code}"), retry_after)


FACE = EnrolledFace(face_id="f", bbox=Bounds(x=0, y=0, width=9, height=9))


class Taker:
    """A service: takes what it gets, but first raises what a photo's script says."""

    def __init__(self, scripts: Mapping[str, list[Exception]] | None = None) -> None:
        self.scripts = {name: list(errors) for name, errors in (scripts or {}).items()}
        self.taken: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def put_photo(self, photo_id: str, collection_id: str | None, image: bytes) -> Enrolled:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if script := self.scripts.get(photo_id):
            raise script.pop(0)
        self.taken.append(photo_id)
        faces = () if b"nobody" in image else (FACE,)
        return Enrolled(photo_id=photo_id, status="indexed", faces=faces)


@pytest.fixture
def photos(tmp_path: Path) -> list[FoundPhoto]:
    found = []
    for number in range(20):
        path = tmp_path / f"{number:02}.jpg"
        path.write_bytes(b"nobody" if number == 3 else f"photo {number}".encode())
        found.append(FoundPhoto(path.name, str(path)))
    return found


async def one_by_one(
    photos: Sequence[FoundPhoto | Unusable],
) -> AsyncIterator[FoundPhoto | Unusable]:
    for photo in photos:
        yield photo


async def send(
    taker: Taker,
    photos: Sequence[FoundPhoto | Unusable],
    known: Mapping[str, Listed] | None = None,
    patience: Patience = AT_ONCE,
    source: PhotoSource | None = None,
) -> dict[str, Outcome]:
    outcomes: list[Outcome] = []
    read = PatientReader(source or FolderPhotos([]), patience)
    uploader = Uploader(taker, read, "c", (known or {}).get, patience=patience)
    await uploader.run(one_by_one(photos), outcomes.append)
    assert len(outcomes) == len({outcome.photo_id for outcome in outcomes})
    return {outcome.photo_id: outcome for outcome in outcomes}


async def test_every_photo_is_sent_once_eight_at_a_time(photos: list[FoundPhoto]) -> None:
    taker = Taker()
    outcomes = await send(taker, photos)
    assert sorted(taker.taken) == [photo.photo_id for photo in photos]
    assert {outcome.ending for outcome in outcomes.values()} == {Ending.INDEXED}
    assert 1 < taker.most_in_flight <= 8


async def test_photos_without_faces_are_known(photos: list[FoundPhoto]) -> None:
    outcomes = await send(Taker(), photos)
    assert [name for name, one in outcomes.items() if not one.has_faces] == ["03.jpg"]


async def test_poor_faces_are_counted_by_what_became_of_them(photos: list[FoundPhoto]) -> None:
    def poor(face_id: str) -> EnrolledFace:
        return FACE.model_copy(update={"face_id": face_id, "low_quality": True})

    class Choosy(Taker):
        async def put_photo(
            self, photo_id: str, collection_id: str | None, image: bytes
        ) -> Enrolled:
            faces = {"00.jpg": (FACE, poor("a"), poor("b")), "01.jpg": (poor("c"),)}
            refused = {"00.jpg": ("a",), "01.jpg": ("c",)}
            return Enrolled(
                photo_id=photo_id,
                status="detected" if photo_id == "01.jpg" else "indexed",
                faces=faces.get(photo_id, ()),
                refused=tuple(
                    RefusedFace(face_id=face_id, reason="low_quality")
                    for face_id in refused.get(photo_id, ())
                ),
            )

    outcomes = await send(Choosy(), photos[:3])
    counts = {name: (one.faces_refused, one.faces_marked) for name, one in outcomes.items()}
    assert counts == {"00.jpg": (1, 1), "01.jpg": (1, 0), "02.jpg": (0, 0)}
    assert [name for name, one in outcomes.items() if one.is_refused_whole] == ["01.jpg"]


async def test_what_is_there_with_the_same_bytes_is_not_sent(photos: list[FoundPhoto]) -> None:
    def row(content: bytes, status: str) -> Listed:
        return Listed(hashlib.sha256(content).hexdigest(), status)

    known = {
        "00.jpg": row(b"photo 0", "indexed"),
        "01.jpg": row(b"other bytes", "indexed"),
        "02.jpg": row(b"photo 2", "failed"),
        "03.jpg": row(b"nobody", "no_faces"),
    }
    taker = Taker()
    outcomes = await send(taker, photos[:4], known)
    assert sorted(taker.taken) == ["01.jpg", "02.jpg"]
    assert outcomes["00.jpg"] == Outcome("00.jpg", Ending.UNCHANGED, has_faces=True)
    assert outcomes["03.jpg"] == Outcome("03.jpg", Ending.UNCHANGED, has_faces=False)


async def test_a_bad_photo_does_not_stop_the_rest(photos: list[FoundPhoto]) -> None:
    taker = Taker({"05.jpg": [refused(415, "invalid_image_format")]})
    photos[6] = FoundPhoto("06.jpg", photos[6].place + ".gone")
    outcomes = await send(taker, photos)
    assert outcomes["05.jpg"].reason == "because of invalid_image_format"
    assert "cannot be read" in outcomes["06.jpg"].reason
    assert len(taker.taken) == 18


@pytest.mark.parametrize(
    "error",
    [refused(429, "overloaded", 0.0), refused(503, "vectors_unavailable"), ServiceAway("gone")],
    ids=["429", "503", "away"],
)
async def test_a_busy_service_is_asked_again(photos: list[FoundPhoto], error: Exception) -> None:
    taker = Taker({"05.jpg": [error] * 5})
    outcomes = await send(taker, photos)
    assert outcomes["05.jpg"].ending is Ending.INDEXED


async def test_a_photo_that_is_always_too_slow_fails_alone(photos: list[FoundPhoto]) -> None:
    taker = Taker({"05.jpg": [refused(504, "deadline_exceeded")] * 99})
    outcomes = await send(taker, photos)
    assert outcomes["05.jpg"].ending is Ending.FAILED
    assert len(taker.taken) == 19


async def test_a_service_that_takes_nothing_for_too_long_ends_the_run(
    photos: list[FoundPhoto],
) -> None:
    taker = Taker({photo.photo_id: [ServiceAway("nobody answers")] * 99 for photo in photos})
    with pytest.raises(ServiceGaveUp, match="nobody answers"):
        await send(taker, photos, patience=NEVER_PATIENT)


async def test_a_key_that_may_not_do_this_ends_the_run(photos: list[FoundPhoto]) -> None:
    taker = Taker({photo.photo_id: [refused(403, "forbidden")] * 99 for photo in photos})
    with pytest.raises(Refused, match="403"):
        await send(taker, photos)


async def test_a_bug_is_not_taken_for_a_bad_photo(photos: list[FoundPhoto]) -> None:
    with pytest.raises(ExceptionGroup):
        await send(Taker({"05.jpg": [RuntimeError("a bug")]}), photos)


@given(st.integers(0, 60), st.floats(0, 100) | st.none(), st.floats(0, 1))
def test_waits_are_as_asked_and_never_endless(
    attempt: int, asked: float | None, chance: float
) -> None:
    patience = Patience()
    delay = patience.delay(attempt, asked, chance)
    assert 0 < delay <= 2.5 * patience.longest_delay_seconds
    if asked is not None:
        assert delay >= min(asked, patience.longest_delay_seconds)


class Remembering(FolderPhotos):
    """Photos whose digests are known without reading them."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        super().__init__([])
        self._digests = digests
        self.read_photos: list[str] = []

    def known_sha256(self, photo: FoundPhoto) -> str | None:
        return self._digests.get(photo.photo_id)

    async def read(self, photo: FoundPhoto) -> PhotoContent:
        self.read_photos.append(photo.photo_id)
        return await super().read(photo)


async def test_a_photo_whose_digest_is_known_is_read_only_where_the_service_has_another(
    photos: list[FoundPhoto],
) -> None:
    digests = {
        f"0{number}.jpg": hashlib.sha256(f"photo {number}".encode()).hexdigest()
        for number in range(3)
    }
    known = {
        "00.jpg": Listed(digests["00.jpg"], "indexed"),
        "01.jpg": Listed("0" * 64, "indexed"),
        "02.jpg": Listed(digests["02.jpg"], "failed"),
    }
    taker, source = Taker(), Remembering(digests)
    outcomes = await send(taker, photos[:4], known, source=source)
    assert outcomes["00.jpg"].ending is Ending.UNCHANGED
    assert sorted(source.read_photos) == sorted(taker.taken) == ["01.jpg", "02.jpg", "03.jpg"]


async def test_the_next_photo_is_asked_for_when_there_is_a_place_for_it(
    photos: list[FoundPhoto],
) -> None:
    go_on, asked = asyncio.Event(), 0

    class Held(Taker):
        async def put_photo(
            self, photo_id: str, collection_id: str | None, image: bytes
        ) -> Enrolled:
            await go_on.wait()
            return await super().put_photo(photo_id, collection_id, image)

    async def listing() -> AsyncIterator[FoundPhoto | Unusable]:
        nonlocal asked
        for photo in photos:
            asked += 1
            if asked == 8:
                asyncio.get_running_loop().call_soon(go_on.set)
            yield photo

    outcomes: list[Outcome] = []
    read = PatientReader(FolderPhotos([]), AT_ONCE)
    uploader = Uploader(Held(), read, "c", lambda _: None, patience=AT_ONCE)
    running = asyncio.create_task(uploader.run(listing(), outcomes.append))
    await go_on.wait()
    assert asked == 8
    await running
    assert asked == len(outcomes) == 20


async def test_a_photo_that_cannot_be_sent_is_among_the_failed(photos: list[FoundPhoto]) -> None:
    outcomes = await send(Taker(), [*photos, Unusable("bad name", "rename it")])
    assert outcomes["bad name"] == Outcome("bad name", Ending.FAILED, reason="rename it")
    assert len(outcomes) == 21


def test_a_tally_counts_all_and_names_what_needs_a_look() -> None:
    tally = Tally()
    tally.add(Outcome("b", Ending.FAILED, reason="damaged"))
    tally.add(Outcome("a", Ending.FAILED, has_faces=False, reason="damaged"))
    tally.add(Outcome("c", Ending.INDEXED, faces_refused=2, faces_marked=1))
    tally.add(Outcome("d", Ending.UNCHANGED, has_faces=False))
    tally.add(Outcome("e", Ending.INDEXED, faces_refused=1, is_refused_whole=True))
    assert (tally.photos, tally.taken, tally.count(Ending.INDEXED)) == (5, 3, 2)
    assert [one.photo_id for one in tally.failed] == ["a", "b"]
    assert (tally.without_faces, tally.refused_whole) == (["d"], ["e"])
    assert (tally.faces_refused, tally.faces_marked) == (3, 1)
