"""A bucket as a place of photos: listed in pages, read whole, and every way it can fail."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.errors import ExitCode, UsageError
from cli.indexing.choose import open_source
from cli.indexing.source import (
    FoundPhoto,
    NotAPhoto,
    PhotoContent,
    PhotoSource,
    SourceGaveUp,
    SourceTrouble,
    UnreadablePhoto,
    Unusable,
)
from storage.photos.layout import place_of
from storage.records.ids import new_revision_id
from tests.contract.s3_process import PAGE, Key, S3Process
from tests.contract.wire import Wire

WEBP = "RIFF1234WEBPVP8 and more"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("STORAGE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bucket(s3: S3Process) -> str:
    return s3.empty_bucket()


@pytest.fixture
def wire(s3: S3Process) -> Iterator[Wire]:
    """The way to the server, which can be broken."""
    with Wire(s3.port) as wire:
        yield wire


class Opener:
    """Opens a prefix of the bucket, as the command does."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, s3: S3Process, bucket: str, key: Key
    ) -> None:
        self._monkeypatch, self._s3, self._bucket, self._key = monkeypatch, s3, bucket, key

    @asynccontextmanager
    async def __call__(
        self,
        prefix: str = "some/prefix",
        *,
        url: str = "",
        is_reread: bool = False,
        changes: Mapping[str, str] | None = None,
    ) -> AsyncIterator[PhotoSource]:
        # Each time again: what is for the bucket alone is taken out of the environment.
        told = self._s3.environment(self._bucket, self._key, STORAGE_TIMEOUT_SECONDS="30")
        del told["STORAGE_PHOTOS_URL"]
        for name, value in (told | dict(changes or {})).items():
            self._monkeypatch.setenv(name, value)
        url = url or f"s3://{self._bucket}/{prefix}"
        async with open_source([url], is_reread=is_reread) as source:
            yield source


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, s3: S3Process, bucket: str, s3_key: Key) -> Opener:
    return Opener(monkeypatch, s3, bucket, s3_key)


async def found(source: PhotoSource) -> dict[str, FoundPhoto]:
    """The photos by photo_id; all must be fit to be sent."""
    items = [item async for item in source.photos()]
    photos = [item for item in items if isinstance(item, FoundPhoto)]
    assert photos == items
    assert len({photo.photo_id for photo in photos}) == len(photos) == source.total
    return {photo.photo_id: photo for photo in photos}


def content(text: str) -> PhotoContent:
    data = text.encode()
    return PhotoContent(data, hashlib.sha256(data).hexdigest())


async def test_a_photo_is_called_by_its_key_below_the_prefix(
    s3: S3Process, bucket: str, opened: Opener
) -> None:
    s3.put(bucket, "some/prefix/day%201/a.jpg", "first")
    s3.put(bucket, "some/prefixed/b.jpg", "beside it")
    async with opened() as source:
        photos = await found(source)
        assert list(photos) == ["day 1/a.jpg"]
        assert await source.read(photos["day 1/a.jpg"]) == content("first")
        assert source.name == f"s3://{bucket}/some/prefix"
    async with opened("") as source:
        assert sorted(await found(source)) == ["some/prefix/day 1/a.jpg", "some/prefixed/b.jpg"]


NAMES = ["é/ü ö.jpg", "a+b&c=d.jpg", "100%.jpg", "a#b?c.jpg", "日本/一.webp", "q'\"(1)!.PNG"]


@pytest.mark.parametrize("name", NAMES)
async def test_keys_are_taken_as_they_are(
    s3: S3Process, bucket: str, opened: Opener, name: str
) -> None:
    s3.put(bucket, quote(f"фото/{name}"), name)
    async with opened("фото/") as source:
        photos = await found(source)
        assert list(photos) == [name]
        assert await source.read(photos[name]) == content(name)


async def test_many_pages_are_listed_each_when_it_is_asked_for(
    s3: S3Process, bucket: str, opened: Opener, wire: Wire
) -> None:
    names = [f"{number:03}.jpg" for number in range(2 * PAGE + 1)]
    for name in names:
        s3.put(bucket, f"some/prefix/{name}", name)
    async with opened(changes={"STORAGE_PHOTOS_ENDPOINT": wire.url}) as source:
        listing = source.photos()
        first = await anext(listing)
        assert isinstance(first, FoundPhoto)
        assert await source.read(first) == content(names[0])  # long before the listing ends
        assert source.total is None
        rest = [item.place async for item in listing]
        assert [first.place, *rest] == names
        assert source.total == len(names)


async def test_what_is_no_photo_is_passed_over_and_counted(
    s3: S3Process, bucket: str, opened: Opener
) -> None:
    s3.put(bucket, "some/prefix/", "")  # consoles make folders so
    s3.put(bucket, "some/prefix/album/", "")
    s3.put(bucket, "some/prefix/notes.TXT", "no photo")
    s3.put(bucket, "some/prefix/.hidden/a.jpg", "hidden")
    s3.put(bucket, "some/prefix/._a.jpg", "hidden")
    s3.put(bucket, "some/prefix/photo", WEBP)
    s3.put(bucket, "some/prefix/other", "something else")
    s3.put(bucket, f"some/prefix/{place_of(new_revision_id())}", WEBP)
    async with opened() as source:
        photos = await found(source)
        assert sorted(photos) == ["other", "photo"]  # their first bytes are read later
        assert await source.read(photos["photo"]) == content(WEBP)
        with pytest.raises(NotAPhoto):
            await source.read(photos["other"])
        assert source.passed_over == {".txt": 1, "(none)": 2, "(photos of a base)": 1}


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("x" * 200 + ".jpg", "long", "longer than 128"),
        ("%20lead.jpg", "white space", "white space"),
        ("empty.jpg", "", "empty"),
    ],
)
async def test_a_photo_that_cannot_be_sent_is_told_with_its_reason(
    s3: S3Process, bucket: str, opened: Opener, key: str, text: str, reason: str
) -> None:
    s3.put(bucket, f"some/prefix/{key}", text)
    async with opened() as source:
        (item,) = [item async for item in source.photos()]
    assert isinstance(item, Unusable)
    assert reason in item.reason


async def test_an_object_that_was_read_before_is_known_until_it_changes(
    s3: S3Process, bucket: str, opened: Opener
) -> None:
    s3.put(bucket, "some/prefix/a.jpg", "first")
    async with opened() as source:
        photo = (await found(source))["a.jpg"]
        assert source.known_sha256(photo) is None
        read = await source.read(photo)
        assert source.known_sha256(photo) == read.sha256
    async with opened() as source:
        assert source.known_sha256((await found(source))["a.jpg"]) == read.sha256
    async with opened(is_reread=True) as source:
        assert source.known_sha256((await found(source))["a.jpg"]) is None

    s3.put(bucket, "some/prefix/a.jpg", "other")  # of the same length
    async with opened() as source:
        photo = (await found(source))["a.jpg"]
        assert source.known_sha256(photo) is None
        assert await source.read(photo) == content("other")


async def test_an_object_that_is_replaced_after_it_was_listed_is_kept_as_what_was_read(
    s3: S3Process, bucket: str, opened: Opener
) -> None:
    s3.put(bucket, "some/prefix/a.jpg", "first")
    async with opened() as source:
        listed = (await found(source))["a.jpg"]
        s3.put(bucket, "some/prefix/a.jpg", "other")
        assert await source.read(listed) == content("other")
        assert source.known_sha256(listed) is None  # the bytes of that listing were never read
    async with opened() as source:
        assert source.known_sha256((await found(source))["a.jpg"]) == content("other").sha256


async def test_an_object_that_vanishes_fails_alone(
    s3: S3Process, bucket: str, opened: Opener
) -> None:
    s3.put(bucket, "some/prefix/a.jpg", "first")
    async with opened() as source:
        gone = FoundPhoto("b.jpg", "b.jpg", "stamp")
        with pytest.raises(UnreadablePhoto, match="not in the bucket any more"):
            await source.read(gone)
        assert len(await found(source)) == 1


async def test_a_download_that_is_cut_in_the_middle_is_made_whole(
    s3: S3Process, bucket: str, opened: Opener, wire: Wire
) -> None:
    large = "0123456789" * 200_000
    s3.put(bucket, "some/prefix/a.jpg", large)
    async with opened(changes={"STORAGE_PHOTOS_ENDPOINT": wire.url}) as source:
        photo = (await found(source))["a.jpg"]
        wire.cut_answers(1, after_bytes=700_000)
        read = await source.read(photo)
    assert wire.faults == 1
    assert read == content(large)


async def test_a_few_503s_are_not_noticed(
    s3: S3Process, bucket: str, opened: Opener, wire: Wire
) -> None:
    s3.put(bucket, "some/prefix/a.jpg", "first")
    async with opened(changes={"STORAGE_PHOTOS_ENDPOINT": wire.url}) as source:
        wire.busy(2)
        photo = (await found(source))["a.jpg"]
        wire.busy(2)
        assert await source.read(photo) == content("first")
    assert wire.faults == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"STORAGE_PHOTOS_ACCESS_KEY": "AKIAWRONG"}, "access key is not known at http://127.0.0.1"),
        ({"STORAGE_PHOTOS_SECRET_KEY": "wrong"}, "secret key is not that of the access key"),
        (
            {"STORAGE_PHOTOS_URL": "s3://no-such-bucket/a"},
            "no bucket no-such-bucket at .* correct the URL",
        ),
    ],
)
async def test_a_wrong_key_or_bucket_is_one_line_before_anything_is_sent(
    s3_key: Key, opened: Opener, change: dict[str, str], said: str
) -> None:
    url = change.get("STORAGE_PHOTOS_URL", "")
    async with opened(url=url, changes=change) as source:
        with pytest.raises(SourceGaveUp, match=said) as refused:
            await anext(source.photos(), None)
    assert refused.value.exit_code == ExitCode.USAGE
    assert "\n" not in str(refused.value)
    assert "STORAGE_PHOTOS_URL" not in str(refused.value)  # it was not that one
    assert s3_key.secret not in str(refused.value)


async def test_a_key_needs_two_rights_and_a_missing_one_is_named(
    monkeypatch: pytest.MonkeyPatch, s3: S3Process, bucket: str
) -> None:
    s3.put(bucket, "some/prefix/a.jpg", "first")
    both = Opener(monkeypatch, s3, bucket, s3.key("s3:GetObject", "s3:ListBucket"))
    async with both() as source:
        assert await source.read((await found(source))["a.jpg"]) == content("first")
    lists = Opener(monkeypatch, s3, bucket, s3.key("s3:ListBucket"))
    async with lists() as source:
        photo = (await found(source))["a.jpg"]
        with pytest.raises(
            SourceTrouble, match=r"may not read .*s3:GetObject and s3:ListBucket$"
        ) as trouble:
            await source.read(photo)
        assert not trouble.value.is_temporary
    reads = Opener(monkeypatch, s3, bucket, s3.key("s3:GetObject"))
    async with reads() as source:
        with pytest.raises(SourceGaveUp, match="may not list"):
            await found(source)


async def test_an_endpoint_that_is_away_is_one_line(opened: Opener, wire: Wire) -> None:
    away = {"STORAGE_PHOTOS_ENDPOINT": "http://127.0.0.1:1", "STORAGE_TIMEOUT_SECONDS": "1"}
    async with opened(changes=away) as source:
        with pytest.raises(SourceGaveUp, match=r"cannot be listed: http://127.0.0.1:1 cannot"):
            await found(source)
    wire.silent()
    silent = {"STORAGE_PHOTOS_ENDPOINT": wire.url, "STORAGE_TIMEOUT_SECONDS": "1"}
    async with opened(changes=silent) as source:
        with pytest.raises(SourceGaveUp, match="cannot be listed") as refused:
            await found(source)
    assert refused.value.exit_code == ExitCode.UNAVAILABLE
    assert "\n" not in str(refused.value)


async def test_a_key_that_cannot_be_listed_is_named(
    s3: S3Process, bucket: str, opened: Opener
) -> None:
    s3.put(bucket, "some/prefix/a//b.jpg", "first")
    async with opened() as source:
        with pytest.raises(SourceGaveUp, match=r"“some/prefix/a//b.jpg”.*rename it"):
            await found(source)


@pytest.mark.parametrize("url", ["s3://bucket//a", "s3://bucket/a/../b", "s3://bucket/./a"])
async def test_a_prefix_that_no_key_can_be_listed_below_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="empty part"):
        async with open_source([url]):
            pass


async def test_a_bucket_is_indexed_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="indexed alone"):
        async with open_source([str(tmp_path), "s3://bucket/a"]):
            pass


async def test_what_is_for_the_bucket_alone_is_kept_from_the_base(
    s3: S3Process, bucket: str, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened():
        assert not [name for name in os.environ if name.startswith("STORAGE_PHOTOS_")]
    monkeypatch.setenv("STORAGE_PHOTOS_URL", "s3://other/base")
    async with opened():
        assert os.environ["STORAGE_PHOTOS_ENDPOINT"] == s3.url
