"""Digests of objects that were read before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.indexing.digests import Digests, digests_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "bucket.sqlite"


@pytest.fixture
def digests(path: Path) -> Iterator[Digests]:
    digests = Digests(path, "photos/2024")
    yield digests
    digests.close()


def test_a_digest_is_known_for_as_long_as_the_stamp_is_the_same(digests: Digests) -> None:
    digests.keep("a.jpg", "etag-1", "1" * 64)
    assert digests.sha256("a.jpg", "etag-1") == "1" * 64
    assert digests.sha256("a.jpg", "etag-2") is None
    assert digests.sha256("b.jpg", "etag-1") is None

    digests.keep("a.jpg", "etag-2", "2" * 64)
    assert digests.sha256("a.jpg", "etag-1") is None
    assert digests.sha256("a.jpg", "etag-2") == "2" * 64


def test_an_object_without_a_stamp_is_never_known(digests: Digests) -> None:
    digests.keep("a.jpg", "", "1" * 64)
    assert digests.sha256("a.jpg", "") is None


def test_another_run_knows_them_at_once_under_whatever_prefix(digests: Digests, path: Path) -> None:
    digests.keep("day 1/a.jpg", "etag", "1" * 64)
    # The first one is not closed: as if it had been killed.
    other = Digests(path, "photos")
    assert other.sha256("2024/day 1/a.jpg", "etag") == "1" * 64
    other.close()


def test_a_file_that_is_none_of_ours_costs_no_more_than_reading_again(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 1000)
    digests = Digests(path, "")
    digests.keep("a.jpg", "etag", "1" * 64)
    assert digests.sha256("a.jpg", "etag") is None
    digests.close()
    assert capsys.readouterr().err.count("cannot be used") == 1


def test_buckets_of_one_name_at_two_endpoints_are_two(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = {digests_file(endpoint, "photos") for endpoint in ("https://a", "https://b")}
    assert len(files) == 2
    assert all(file is not None and file.is_relative_to(tmp_path) for file in files)
