"""Photos in a bucket: what only S3 has, and every way it can fail."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import PhotosUnavailable, StorageFull, StoreMisconfigured
from storage.photos.folder import FolderPhotoStore
from storage.photos.layout import place_of
from storage.photos.s3 import S3PhotoStore
from storage.photos.s3_errors import Bucket, PhotosRefused, translated
from storage.photos.s3_open import open_s3
from storage.records.ids import new_revision_id
from storage.settings import StorageSettings
from tests.contract.s3_process import PAGE, Key, S3Process
from tests.contract.test_photos import scanned
from tests.contract.wire import Wire

MEGABYTE = os.urandom(1_000_000)


@pytest.fixture
def bucket(s3: S3Process) -> str:
    """An empty bucket."""
    return s3.empty_bucket()


@pytest.fixture
def wire(s3: S3Process) -> Iterator[Wire]:
    """The way to the server, which can be broken."""
    with Wire(s3.port) as wire:
        yield wire


class Opened:
    """A store at the other end of a wire."""

    def __init__(self, s3: S3Process, bucket: str, key: Key, wire: Wire) -> None:
        self._s3, self._bucket, self._key, self._wire = s3, bucket, key, wire

    async def __call__(self, **settings: object) -> S3PhotoStore:
        told = {"photos_endpoint": self._wire.url, "timeout_seconds": 60} | settings
        return await open_s3(self._s3.settings(self._bucket, self._key, **told))


@pytest.fixture
def opened(s3: S3Process, bucket: str, s3_key: Key, wire: Wire) -> Opened:
    return Opened(s3, bucket, s3_key, wire)


async def test_photos_lie_beneath_the_prefix_as_they_do_in_a_folder(
    s3: S3Process, bucket: str, s3_key: Key
) -> None:
    store = await open_s3(s3.settings(bucket, s3_key))
    revision = new_revision_id()
    await store.put(revision, b"photo")

    assert s3.objects(bucket) == [f"some/prefix/{place_of(revision)}"]


async def test_what_others_keep_in_the_bucket_is_not_seen(
    s3: S3Process, bucket: str, s3_key: Key
) -> None:
    store = await open_s3(s3.settings(bucket, s3_key))
    other = await open_s3(s3.settings(bucket, s3_key, photos_url=f"s3://{bucket}/some"))
    revision = new_revision_id()
    await store.put(revision, b"photo")
    s3.put(bucket, "some/prefix/notes.txt", "not ours")
    s3.put(bucket, "some/prefix/00/00/elsewhere", "not where that name belongs")

    assert await scanned(store) == [revision]
    assert await scanned(other) == []
    assert await other.get(revision) is None


async def test_a_folder_that_was_copied_into_the_bucket_is_a_base(
    s3: S3Process, bucket: str, s3_key: Key, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    folder = FolderPhotoStore(root)
    revision = new_revision_id()
    await folder.put(revision, b"photo")
    await folder.close()
    for file in root.rglob("*"):
        if file.is_file():
            key = f"some/prefix/{file.relative_to(root)}"
            s3.put(bucket, key, file.read_text())

    store = await open_s3(s3.settings(bucket, s3_key))
    assert await store.get(revision) == b"photo"
    assert await scanned(store) == [revision]


async def test_bytes_that_were_changed_in_the_bucket_are_not_given_out(
    s3: S3Process, bucket: str, s3_key: Key
) -> None:
    store = await open_s3(s3.settings(bucket, s3_key))
    revision = new_revision_id()
    await store.put(revision, b"photo")
    assert await store.get(revision) == b"photo"
    # As a copy keeps what the object says of itself, and a broken disk its bytes not.
    s3.put(
        bucket,
        f"some/prefix/{place_of(revision)}",
        "other",
        sha256=hashlib.sha256(b"photo").hexdigest(),
    )

    with pytest.raises(PhotosUnavailable, match="is not what was stored"):
        await store.get(revision)


async def test_more_than_a_page_is_listed_and_removed(
    s3: S3Process, bucket: str, s3_key: Key
) -> None:
    store = await open_s3(s3.settings(bucket, s3_key, timeout_seconds=30))
    revisions = [new_revision_id() for _ in range(2 * PAGE + 1)]
    await asyncio.gather(*(store.put(revision, b"") for revision in revisions))
    assert await scanned(store) == sorted(revisions)

    unknown = [new_revision_id() for _ in range(1_000)]
    await store.remove([*revisions[:1], *unknown, *revisions[1:]])
    assert await scanned(store) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"photos_access_key": "AKIAWRONG"}, "access key is not known at http://127.0.0.1"),
        ({"photos_secret_key": "wrong"}, "secret key is not that of the access key"),
        ({"photos_url": "s3://no-such-bucket/prefix"}, "there is no bucket no-such-bucket at"),
    ],
)
async def test_a_wrong_key_or_bucket_stops_the_start_with_one_line(
    s3: S3Process, bucket: str, s3_key: Key, change: dict[str, str], said: str
) -> None:
    with pytest.raises(StoreMisconfigured, match=said) as refused:
        await open_s3(s3.settings(bucket, s3_key, **change))

    assert "\n" not in str(refused.value)
    assert s3_key.secret not in str(refused.value)


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (["s3:GetObject", "s3:ListBucket"], "may not write to s3://"),
        (["s3:PutObject", "s3:ListBucket"], "may not read s3://"),
        (["s3:PutObject", "s3:GetObject"], "may not list s3://"),
        (["s3:PutObject", "s3:GetObject", "s3:ListBucket"], "may not remove from s3://"),
    ],
)
async def test_a_key_that_lacks_a_right_stops_the_start_and_names_it(
    s3: S3Process, bucket: str, rights: list[str], said: str
) -> None:
    with pytest.raises(StoreMisconfigured, match=f"the key {said}.*s3:DeleteObject"):
        await open_s3(s3.settings(bucket, s3.key(*rights)))


async def test_an_endpoint_that_is_away_at_the_start_is_left_for_later(
    s3: S3Process, bucket: str, wire: Wire, opened: Opened
) -> None:
    wire.silent()
    store = await opened(timeout_seconds=1)
    with pytest.raises(PhotosUnavailable, match=r"http://127.* did not answer within 1 s$"):
        await store.ping()

    wire.sound()
    await until_it_answers(store)
    assert s3.objects(bucket) == []  # what the ping wrote is gone


async def until_it_answers(store: S3PhotoStore) -> None:
    """Return as soon as a ping does: on a busy machine the first one may be late."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await store.ping()
            except PhotosUnavailable:
                continue


async def test_a_few_503s_and_cut_connections_are_not_noticed(wire: Wire, opened: Opened) -> None:
    store = await opened()
    revision = new_revision_id()
    wire.busy(2)
    await store.put(revision, MEGABYTE)
    wire.cut(2, after_bytes=300_000)
    await store.put(new_revision_id(), MEGABYTE)
    wire.busy(1)
    assert await store.get(revision) == MEGABYTE
    wire.busy(1)
    await store.remove([revision])

    assert wire.faults == 6


async def test_an_upload_that_is_cut_halfway_leaves_nothing_and_is_back_by_itself(
    s3: S3Process, bucket: str, wire: Wire, opened: Opened
) -> None:
    store = await opened(timeout_seconds=2)
    revision = new_revision_id()
    wire.cut(1_000, after_bytes=500_000)
    with pytest.raises(PhotosUnavailable) as refused:
        await store.put(revision, MEGABYTE)
    assert wire.faults > 1  # it tried again
    assert "\n" not in str(refused.value)
    # While the wire cuts: a call that is late goes on trying, and may yet store all of it.
    assert s3.objects(bucket) == []
    assert await store.get(revision) is None

    wire.sound()
    await until_it_answers(store)
    await store.put(revision, MEGABYTE)
    assert await store.get(revision) == MEGABYTE


async def test_503s_that_do_not_end_are_an_outage_while_they_last(
    wire: Wire, opened: Opened
) -> None:
    store = await opened(timeout_seconds=2)
    revision = new_revision_id()
    wire.busy(1_000)
    begun = time.monotonic()
    calls = [
        store.put(revision, b"photo"),
        store.get(revision),
        store.remove([revision]),
        scanned(store),
        store.ping(),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PhotosUnavailable] * 5
    assert time.monotonic() - begun < 10

    wire.sound()
    await until_it_answers(store)
    await store.put(revision, b"photo")
    assert await store.get(revision) == b"photo"


async def test_a_silent_endpoint_costs_a_call_no_more_than_its_time(
    wire: Wire, opened: Opened
) -> None:
    store = await opened(timeout_seconds=1)
    wire.silent()
    begun = time.monotonic()
    with pytest.raises(PhotosUnavailable, match="did not answer within 1 s"):
        await store.get(new_revision_id())
    assert 0.9 < time.monotonic() - begun < 5


async def test_calls_beyond_the_connections_wait_for_their_turn_within_their_time(
    wire: Wire, opened: Opened
) -> None:
    store = await opened(timeout_seconds=1, photos_connections=1)
    wire.silent()
    outcomes = await asyncio.gather(
        *(store.get(new_revision_id()) for _ in range(5)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [PhotosUnavailable] * 5

    wire.sound()
    patient = await opened(photos_connections=1)
    assert await asyncio.gather(*(patient.get(new_revision_id()) for _ in range(5))) == [None] * 5


async def test_a_bucket_that_is_taken_away_is_an_outage_and_no_missing_photo(
    s3: S3Process, s3_key: Key
) -> None:
    bucket = s3.empty_bucket()
    store = await open_s3(s3.settings(bucket, s3_key))
    s3.drop_bucket(bucket)
    for call in (store.get(new_revision_id()), store.ping(), store.remove([new_revision_id()])):
        with pytest.raises(PhotosUnavailable, match=f"there is no bucket {bucket}"):
            await call


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ("status code: 507: <Code>XMinioStorageFull</Code>", StorageFull, "no room in s3://b/p"),
        ("status code: 403: <Code>QuotaExceeded</Code>", StorageFull, "no room"),
        ("status code: 403 Forbidden: ", PhotosRefused, "may not write to s3://b/p"),
        ("status code: 301: <Code>PermanentRedirect</Code>", PhotosRefused, "another region"),
        ("status code: 403: <Code>RequestTimeTooSkewed</Code>", PhotosRefused, "clock"),
        ("PUT http://169.254.169.254/latest: status code: 403", PhotosRefused, "no key: set"),
        ("PUT http://169.254.169.254/latest: error", PhotosUnavailable, "no key: set"),
        ("status code: 500: <Code>InternalError</Code>", PhotosUnavailable, "https://s3 answered"),
        ("x: InvalidCertificate(\n  UnknownIssuer,", PhotosRefused, r"trusted \(UnknownIssuer\)"),
        ('x: ConnectError(\n  Os { message: "refused"', PhotosUnavailable, "reached: refused"),
        ("HTTP error: error sending request\n\nDebug source:\nx", PhotosUnavailable, "request$"),
    ],
)
def test_an_answer_is_told_in_one_line_of_ours(
    answer: str, kind: type[Exception], said: str
) -> None:
    error = translated(OSError(answer), Bucket("b", "p", "https://s3"), "write to")

    assert type(error) is kind
    with pytest.raises(kind, match=said):
        raise error


async def test_the_environment_of_other_programs_does_not_go_over_the_settings(
    s3: S3Process, bucket: str, s3_key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another key")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    store = await open_s3(s3.settings(bucket, s3_key))
    assert await store.get(new_revision_id()) is None


async def test_a_variable_that_makes_no_sense_stops_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CHECKSUM_ALGORITHM", "rubbish")
    settings = StorageSettings(photos_url="s3://bucket")
    with pytest.raises(StoreMisconfigured, match=r"s3://bucket: .*checksum algorithm$"):
        await open_s3(settings)


def test_a_process_may_end_right_after_a_call() -> None:
    opening = (
        "import asyncio\n"
        "from storage.photos.s3_open import open_s3\n"
        "from storage.settings import StorageSettings\n"
        "key = {'photos_access_key': 'a', 'photos_secret_key': 'b'}\n"
        "away = {'photos_url': 's3://bucket', 'photos_endpoint': 'http://127.0.0.1:9'}\n"
        "asyncio.run(open_s3(StorageSettings(**key, **away, timeout_seconds=0.2)))\n"
    )
    subprocess.run([sys.executable, "-c", opening], check=True, timeout=60)


async def test_without_settings_the_environment_is_asked_for_the_key(
    s3: S3Process, bucket: str, s3_key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_key.secret)
    unset = {"photos_endpoint": "", "photos_access_key": "", "photos_secret_key": ""}
    store = await open_s3(s3.settings(bucket, s3_key, **unset))
    assert await store.get(new_revision_id()) is None
