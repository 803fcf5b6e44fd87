"""One backup after the other into a folder, and folders that are no backup."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.backing_up.backup import BackupOrder, BackupReport, take_backup
from cli.backing_up.restore import RestoreOrder, restore_base
from cli.base.records import records_of
from cli.errors import CommandError, UsageError
from edge.jobs import JOBS_LEASE
from edge.use_cases.digest import sha256_of
from storage.backups.errors import (
    BackupDamaged,
    BaseNotEmpty,
    FolderInUse,
    FolderRefused,
    NoBackup,
)
from storage.backups.folder import for_writing
from storage.photos.folder import FolderPhotoStore
from storage.photos.layout import place_of
from storage.records.model import ApiKey, Revision
from storage.records.port import RecordStore
from tests.contract.bases import Service, base_in, key
from tests.unit.edge.fakes import photo_of

Damage = Callable[[Path], None]


@pytest.fixture(autouse=True)
def _settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("STORAGE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STORAGE_TIMEOUT_SECONDS", "30")


class Detected:
    """A base of photos in which nobody was found: it has no vectors, and so needs no engine."""

    def __init__(self, data_dir: Path, records: RecordStore, photos: FolderPhotoStore) -> None:
        self.data_dir = data_dir
        self.folder = data_dir.parent / "backup"
        self.records = records
        self._photos = photos

    async def put(self, photo_id: str, data: bytes, size: int | None = None) -> Revision:
        """`size`: what the records say of it, if that is not so."""
        revision = await self.records.begin(
            key(photo_id), await sha256_of(data), len(data) if size is None else size
        )
        await self._photos.put(revision.id, data)
        await self.records.commit_staged(revision.id, width=1, height=1, faces=[])
        return revision

    async def back_up(self) -> BackupReport:
        return await take_backup(BackupOrder(self.data_dir, self.folder))

    def file_of(self, revision: Revision) -> Path:
        """Where the backup keeps its bytes."""
        return self.folder / "photos" / place_of(revision.id)


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[Detected]:
    async with records_of(tmp_path / "data", is_made=True) as records:
        photos = FolderPhotoStore(tmp_path / "data" / "photos")
        yield Detected(tmp_path / "data", records, photos)
        await photos.close()


# One backup after the other


async def test_the_second_backup_copies_what_is_new_and_removes_what_went(base: Detected) -> None:
    stays = await base.put("stays", b"1")
    goes = await base.put("goes", b"22")
    first = await base.back_up()
    assert (first.photos.copied, first.photos.kept, first.photos.copied_bytes) == (2, 0, 3)

    await base.records.remove_photo(key("goes"))
    await base.put("new", b"333")
    second = await base.back_up()
    assert (second.photos.copied, second.photos.kept, second.photos_removed) == (1, 1, 1)
    assert base.file_of(stays).read_bytes() == b"1"
    assert not base.file_of(goes).exists()
    assert [each.name for each in (base.folder / "parts").iterdir()] == [second.manifest.id]


async def test_a_photo_that_was_damaged_in_the_folder_is_copied_again(base: Detected) -> None:
    photo = await base.put("a", b"as it was")
    await base.back_up()
    base.file_of(photo).write_bytes(b"as it is!")
    report = await base.back_up()
    assert (report.photos.copied, report.photos.kept) == (1, 0)
    assert base.file_of(photo).read_bytes() == b"as it was"


async def test_what_the_base_lost_after_the_last_backup_stays_in_the_next(base: Detected) -> None:
    photo = await base.put("a", b"bytes")
    await base.back_up()
    (base.data_dir / "photos" / place_of(photo.id)).unlink()
    report = await base.back_up()
    assert report.is_clean
    assert base.file_of(photo).read_bytes() == b"bytes"


async def test_too_little_room_is_told_before_anything_is_copied(base: Detected) -> None:
    photo = await base.put("a", b"1")
    former = (await base.back_up()).manifest
    await base.put("small", b"2")
    huge = await base.put("huge", b"3", size=10**15)
    with pytest.raises(CommandError, match=r"needs .* MB, and .* MB are free"):
        await base.back_up()
    assert not base.file_of(huge).exists()
    # The one before is still there, whole, and nothing else.
    assert base.file_of(photo).exists()
    with for_writing(base.folder) as folder:
        assert folder.manifest() == former
    assert [each.name for each in (base.folder / "parts").iterdir()] == [former.id]
    await restore_base(RestoreOrder(base.data_dir.parent / "restored", base.folder))


async def test_only_the_owner_can_read_a_backup(base: Detected) -> None:
    await base.put("a", b"1")
    old = os.umask(0)
    try:
        await base.back_up()
    finally:
        os.umask(old)
    assert {mode_of(file) for file in entries(base.folder) if file.is_file()} == {0o600}
    for kept_from_others in ("", "photos", "parts"):
        assert mode_of(base.folder / kept_from_others) == 0o700


def mode_of(entry: Path) -> int:
    return stat.S_IMODE(entry.stat().st_mode)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_an_empty_base_can_be_backed_up_and_restored(base: Detected) -> None:
    assert (await base.back_up()).is_clean
    await restore_base(RestoreOrder(base.data_dir.parent / "restored", base.folder))


# Folders that are refused


async def test_a_folder_with_something_else_in_it_is_left_alone(base: Detected) -> None:
    base.folder.mkdir()
    (base.folder / "letter.txt").write_text("mine")
    with pytest.raises(FolderRefused, match="is not empty and holds no backup"):
        await base.back_up()
    assert [entry.name for entry in base.folder.iterdir()] == ["letter.txt"]


async def test_two_backups_at_once_into_one_folder_are_refused(base: Detected) -> None:
    with for_writing(base.folder), pytest.raises(FolderInUse, match="another backup or restore"):
        await base.back_up()


async def test_a_folder_without_a_manifest_is_no_backup(base: Detected) -> None:
    target = RestoreOrder(base.data_dir.parent / "restored", base.folder)
    with pytest.raises(NoBackup, match="there is no folder"):
        await restore_base(target)
    await base.put("a", b"1")
    await base.back_up()
    (base.folder / "manifest.json").unlink()
    with pytest.raises(NoBackup, match="is not complete"):
        await restore_base(target)
    assert not target.data_dir.exists()
    # Whoever runs it again finds the photos of the first try.
    again = await base.back_up()
    assert (again.photos.copied, again.photos.kept) == (0, 1)


# Damage


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@asynccontextmanager
async def a_backup(tmp_path: Path) -> AsyncIterator[Path]:
    """With vectors."""
    async with base_in(tmp_path / "data") as stores:
        await Service(stores).enrol(key("a"), photo_of("anna"))
    await take_backup(BackupOrder(tmp_path / "data", tmp_path / "backup"))
    yield tmp_path / "backup"


async def test_a_damaged_or_missing_file_is_named_and_nothing_is_restored(tmp_path: Path) -> None:
    async with a_backup(tmp_path) as sound:
        damaged = tmp_path / "damaged"
        target = RestoreOrder(tmp_path / "restored", damaged)
        for pattern in ("*.npy", "vectors/*/*.jsonl", "faces-*", "api_keys-*", "photos/*/*/*"):
            for damage in (flipped, cut, Path.unlink):
                shutil.copytree(sound, damaged)
                found = [file for file in damaged.rglob(pattern) if file.is_file()]
                if pattern == "api_keys-*":
                    assert found == []  # there was none, and so no part of it
                for file in found:
                    damage(file)
                    with pytest.raises(BackupDamaged) as refused:
                        await restore_base(target)
                    assert refused.value.files == (file.relative_to(damaged).as_posix(),)
                shutil.rmtree(damaged)
        assert not target.data_dir.exists()


async def test_a_damaged_manifest_is_refused(base: Detected) -> None:
    await base.put("a", b"1")
    await base.back_up()
    flipped(base.folder / "manifest.json")
    with pytest.raises(NoBackup, match="damaged"):
        await restore_base(RestoreOrder(base.data_dir.parent / "restored", base.folder))


# Bases that are refused


@pytest.fixture
async def backup(base: Detected) -> Path:
    await base.put("a", b"1")
    await base.back_up()
    return base.folder


async def test_a_base_with_anything_in_it_is_left_as_it_is(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored"
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    async with records_of(target, is_made=True) as records:
        await records.add_key(ApiKey("mine", "0" * 64, frozenset(), None, moment))
        with pytest.raises(BaseNotEmpty, match="api_keys: 1"):
            await restore_base(RestoreOrder(target, backup))
        assert [each.name for each in await records.keys()] == ["mine"]
    assert not (target / "photos").exists()


async def test_photos_of_another_base_are_left_as_they_are(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored"
    async with records_of(tmp_path / "other", is_made=True) as records:
        stranger = (await records.begin(key("x"), "0" * 64, 1)).id
    photos = FolderPhotoStore(target / "photos")
    await photos.put(stranger, b"mine")
    with pytest.raises(BaseNotEmpty, match="1 other photos"):
        await restore_base(RestoreOrder(target, backup))
    assert [page async for page in photos.scan()] == [[stranger]]
    await photos.close()


async def test_a_base_that_a_service_runs_on_is_left_alone(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored"
    async with records_of(target, is_made=True) as records:
        await records.take_lease(JOBS_LEASE, "an edge", 600)
        with pytest.raises(CommandError, match="a service runs on this base"):
            await restore_base(RestoreOrder(target, backup))


@pytest.mark.parametrize("variable", ["STORAGE_VECTORS_URL", "STORAGE_PHOTOS_URL"])
async def test_what_is_in_memory_has_no_backup(
    base: Detected, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "memory://")
    with pytest.raises(UsageError, match=variable):
        await base.back_up()


async def test_a_backup_on_a_disk_that_takes_no_writes_can_be_restored(
    backup: Path, tmp_path: Path
) -> None:
    # As a plain copy of what belongs to it, without the files of whoever wrote it.
    (backup / "backup.lock").unlink()
    (backup / "photos" / "incoming").rmdir()
    before = entries(backup)
    await restore_base(RestoreOrder(tmp_path / "restored", backup))
    assert entries(backup) == before
