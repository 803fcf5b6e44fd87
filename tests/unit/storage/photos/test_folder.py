"""What is special about photo bytes in a folder: the disk."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from storage.errors import PhotosUnavailable, StoreMisconfigured
from storage.identity import RevisionId
from storage.photos.folder import FolderPhotoStore
from storage.records.ids import new_revision_id
from tests.unit.storage.limits import run_with_small_files, run_without_rights

FILL = """
import asyncio
from pathlib import Path
from storage.errors import StorageFull
from storage.photos.folder import FolderPhotoStore
from storage.records.ids import new_revision_id

async def main():
    photos = FolderPhotoStore(Path(sys.argv[2]))
    small, large = new_revision_id(), new_revision_id()
    await photos.put(small, b"s" * 50_000)
    try:
        await photos.put(large, b"l" * 150_000)
    except StorageFull:
        print("full")
    assert await photos.get(large) is None
    assert await photos.get(small) == b"s" * 50_000
    await photos.ping()
    await photos.close()

asyncio.run(main())
"""

OPEN = """
import sys
from pathlib import Path
from storage.errors import StoreMisconfigured
from storage.photos.folder import FolderPhotoStore
try:
    FolderPhotoStore(Path(sys.argv[1]))
except StoreMisconfigured as error:
    print(error)
"""


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def is_private(path: Path) -> bool:
    return path.stat().st_mode & 0o077 == 0


def shelves(folder: Path) -> list[Path]:
    return list(folder.glob("??"))


def unmount(folder: Path) -> None:
    """What is left of a disk that is away is an empty folder."""
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()


def mount(folder: Path) -> None:
    folder.rmdir()
    folder.with_name("elsewhere").rename(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "photos"


async def test_a_file_lies_two_folders_deep_under_its_revision(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    revision = new_revision_id()
    await photos.put(revision, b"bytes")
    [file] = files(folder)
    first, second, name = file.relative_to(folder).parts
    assert (len(first), len(second), name) == (2, 2, revision)
    await photos.close()


async def test_photos_of_one_moment_are_spread_over_the_folders(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    for n in range(64):
        await photos.put(RevisionId(f"{n:026x}"), b"")
    assert len(shelves(folder)) > 40
    await photos.close()


async def test_only_the_owner_may_look(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    await photos.put(new_revision_id(), b"bytes")
    assert all(is_private(path) for path in (folder, *files(folder)))
    await photos.close()


async def test_another_store_finds_what_one_wrote(folder: Path) -> None:
    revision = new_revision_id()
    first = FolderPhotoStore(folder)
    await first.put(revision, b"bytes")
    await first.close()
    second = FolderPhotoStore(folder)
    assert await second.get(revision) == b"bytes"
    await second.close()


async def test_what_is_no_revision_never_becomes_a_path(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    for hostile in ("../../etc/passwd", "a/b", "", ".", "a\0b", "é"):
        with pytest.raises(ValueError, match="not a revision"):
            await photos.get(RevisionId(hostile))
    await photos.close()


async def test_files_that_are_not_ours_are_passed_over(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    (folder / "lost+found").mkdir()
    (folder / "lost+found" / "aa").write_bytes(b"")
    (folder / "ab" / "cd").mkdir(parents=True)
    (folder / "ab" / "cd" / ".DS_Store").write_bytes(b"")
    assert [page async for page in photos.scan()] == []
    await photos.close()


async def test_a_walk_comes_in_pages(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    shelf = folder / "ab" / "cd"
    shelf.mkdir(parents=True)
    for _ in range(2500):
        (shelf / new_revision_id()).write_bytes(b"")
    sizes = [len(page) async for page in photos.scan()]
    assert sizes == [1000, 1000, 500]
    await photos.close()


async def test_half_written_files_of_a_killed_process_are_cleared_when_they_are_old(
    folder: Path,
) -> None:
    await FolderPhotoStore(folder).close()
    old, new = folder / "incoming" / "old.1", folder / "incoming" / "new.2"
    for half in (old, new):
        half.write_bytes(b"half")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    photos = FolderPhotoStore(folder)
    assert not old.exists()
    assert new.exists()  # another edge may be writing it
    assert [page async for page in photos.scan()] == []
    await photos.close()


async def test_a_folder_whose_disk_is_away_has_not_lost_its_photos(folder: Path) -> None:
    photos = FolderPhotoStore(folder)
    revision = new_revision_id()
    await photos.put(revision, b"bytes")
    unmount(folder)
    with pytest.raises(PhotosUnavailable):
        await photos.get(revision)
    with pytest.raises(PhotosUnavailable):
        await photos.put(new_revision_id(), b"bytes")
    with pytest.raises(PhotosUnavailable):
        await photos.remove([revision])
    with pytest.raises(PhotosUnavailable):
        [page async for page in photos.scan()]
    with pytest.raises(PhotosUnavailable):
        await photos.ping()
    mount(folder)
    assert await photos.get(revision) == b"bytes"
    await photos.close()


async def test_a_photo_that_does_not_fit_leaves_nothing(folder: Path) -> None:
    assert run_with_small_files(FILL, 100_000, folder) == "full\n"
    assert [file.stat().st_size for file in files(folder)] == [50_000]


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_cannot_be_written_to_stops_the_start(mode: int) -> None:
    with tempfile.TemporaryDirectory() as parent:  # pytest's folders are closed to others anyway
        Path(parent).chmod(mode)
        said = run_without_rights(OPEN, f"{parent}/photos")
        assert said == f"photos cannot be kept in {parent}/photos: Permission denied\n"


def test_a_file_in_place_of_the_folder_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "photos").write_bytes(b"")
    with pytest.raises(StoreMisconfigured, match="photos cannot be kept in"):
        FolderPhotoStore(tmp_path / "photos")
