"""A whole base into a folder and back, on the engines that people run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli.backing_up.backup import BackupOrder, BackupReport, take_backup
from cli.backing_up.restore import RestoreOrder, restore_base
from edge.jobs import Progress
from edge.use_cases.backup_vectors import VECTORS_JOB, BackUpVectors
from storage.open import Stores
from storage.records.model import PhotoStatus
from tests.contract.bases import (
    RETIRED,
    Content,
    Service,
    base_in,
    check_of,
    content_of,
    doing_jobs,
    fill,
    key,
)
from tests.contract.milvus_process import MilvusProcess
from tests.contract.postgres_server import PostgresServer
from tests.contract.s3_process import Key, S3Process
from tests.unit.edge.fakes import photo_of

pytestmark = pytest.mark.slow

Environment = Mapping[str, str]


@pytest.fixture(autouse=True)
def _settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("STORAGE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STORAGE_TIMEOUT_SECONDS", "30")


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusProcess]:
    with MilvusProcess(tmp_path_factory.mktemp("milvus") / "data") as process:
        yield process


@pytest.fixture
async def servers(
    postgres: PostgresServer, s3: S3Process, s3_key: Key, milvus: MilvusProcess
) -> Environment:
    """Settings of an empty base on servers."""
    return s3.environment(s3.empty_bucket(), s3_key) | {
        "STORAGE_RECORDS_URL": await postgres.empty_database(),
        "STORAGE_VECTORS_URL": milvus.url,
    }


@asynccontextmanager
async def filled(data_dir: Path) -> AsyncIterator[tuple[Stores, Content]]:
    """A base with a bit of everything, open as by its service, and what is in it."""
    async with base_in(data_dir) as stores:
        await fill(stores)
        yield stores, await content_of(stores)


async def backed_up(data_dir: Path, folder: Path) -> BackupReport:
    return await take_backup(BackupOrder(data_dir, folder))


async def restored(folder: Path, data_dir: Path) -> Content:
    """What the restored base holds; a check finds nothing wrong with it."""
    await restore_base(RestoreOrder(data_dir, folder))
    async with base_in(data_dir) as stores:
        report = await check_of(stores)
        assert report.is_clean, report
        return await content_of(stores)


async def test_a_base_moves_to_servers_and_back_and_stays_as_it_was(
    tmp_path: Path, servers: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with filled(tmp_path / "data") as (_, before):
        pass
    assert len(before.photos) == 5
    assert before.vectors[RETIRED.id] == {}
    report = await backed_up(tmp_path / "data", tmp_path / "backup")
    assert report.is_clean

    with monkeypatch.context() as there:
        for name, value in servers.items():
            there.setenv(name, value)
        assert await restored(tmp_path / "backup", tmp_path / "unused") == before
        assert (await backed_up(tmp_path / "unused", tmp_path / "backup 2")).is_clean
        assert not (tmp_path / "unused").exists()

    assert await restored(tmp_path / "backup 2", tmp_path / "data 2") == before


async def test_what_is_removed_or_replaced_while_it_runs_is_in_it_whole(tmp_path: Path) -> None:
    async with filled(tmp_path / "data") as (stores, before):
        service = Service(stores)
        collected: list[int] = []

        async def meanwhile(
            arguments: Mapping[str, object], progress: Progress
        ) -> Mapping[str, object]:
            # The records were read; vectors and bytes are still to be copied.
            await service.remove.one("beach.jpg", "wedding", None)
            await service.enrol(key("replaced"), photo_of("dave", shot=2))
            await service.enrol(key("new"), photo_of("grace"))
            collected.append((await service.sweep.once()).collected)
            return await BackUpVectors(stores.vectors)(arguments, progress)

        async with doing_jobs(stores.records, {VECTORS_JOB: meanwhile}):
            report = await backed_up(tmp_path / "data", tmp_path / "backup")
        assert report.is_clean
        assert collected == [0]
        assert (await service.sweep.once()).collected == 2
        assert not (await content_of(stores)).photos.keys() >= before.photos.keys()
    assert await restored(tmp_path / "backup", tmp_path / "restored") == before


async def test_a_backup_of_a_base_in_use_holds_what_was_acknowledged_before(tmp_path: Path) -> None:
    async with filled(tmp_path / "data") as (stores, before):
        service = Service(stores)
        jobs = {VECTORS_JOB: BackUpVectors(stores.vectors)}
        async with doing_jobs(stores.records, jobs), used(service) as writes:
            await writes.under_way.wait()
            so_far = writes.count
            acknowledged = dict(writes.acknowledged)
            report = await backed_up(tmp_path / "data", tmp_path / "backup")
            assert writes.count > so_far
        assert report.is_clean
    after = await restored(tmp_path / "backup", tmp_path / "restored")
    assert after.photos.items() >= before.photos.items()
    there = {photo.revision.photo.photo_id: image for photo, image in after.photos.values()}
    assert acknowledged.items() <= there.items()


class Writes:
    """What a base in use has acknowledged."""

    def __init__(self) -> None:
        self.count = 0
        self.under_way = asyncio.Event()
        self.acknowledged: dict[str, bytes] = {}
        """Photos that nobody changes any more."""


@asynccontextmanager
async def used(service: Service) -> AsyncIterator[Writes]:
    """Photos come, are replaced and go, and the sweep collects."""
    writes = Writes()

    async def write() -> None:
        while True:
            name, image = f"stays-{writes.count}", photo_of("heidi", shot=writes.count)
            await service.enrol(key(name), image)
            writes.acknowledged[name] = image
            await service.enrol(key("comes and goes"), image)
            await service.enrol(key("comes and goes"), photo_of("ivan", shot=writes.count))
            await service.remove.one("comes and goes", None, None)
            writes.count += 1
            if writes.count == 20:
                writes.under_way.set()

    tasks = [asyncio.create_task(write()), asyncio.create_task(service.sweep.run())]
    try:
        yield writes
    finally:
        for task in tasks:
            task.cancel()
        for ending in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ending, asyncio.CancelledError), ending


async def test_photos_that_the_base_has_lost_are_told_and_listed_as_failed_again(
    tmp_path: Path,
) -> None:
    async with base_in(tmp_path / "data") as stores:
        enrolled = await Service(stores).enrol(key("lost"), photo_of("anna"))
        await Service(stores).enrol(key("there"), photo_of("bob"))
        await stores.photos.remove([enrolled.photo.revision.id])
        before = await content_of(stores)
    report = await backed_up(tmp_path / "data", tmp_path / "backup")
    assert not report.is_clean
    assert report.manifest.photos.lost == (enrolled.photo.revision.id,)

    await restore_base(RestoreOrder(tmp_path / "restored", tmp_path / "backup"))
    async with base_in(tmp_path / "restored") as stores:
        after = await content_of(stores)
        photo = await stores.records.photo(key("lost"))
    assert photo is not None
    assert photo.status is PhotoStatus.FAILED
    as_before = {
        revision: (
            replace(photo, revision=replace(photo.revision, lost=photo.revision.lost or not image)),
            image,
        )
        for revision, (photo, image) in before.photos.items()
    }
    assert after == replace(before, photos=as_before)


async def test_faces_without_a_vector_are_told(tmp_path: Path) -> None:
    async with base_in(tmp_path / "data") as stores:
        enrolled = await Service(stores).enrol(key("a"), photo_of("anna"))
        await Service(stores).enrol(key("b"), photo_of("bob"))
        await stores.vectors.remove_revisions([enrolled.photo.revision.id])
    report = await backed_up(tmp_path / "data", tmp_path / "backup")
    assert (report.vectors_missing, report.is_clean) == (1, False)
    await restore_base(RestoreOrder(tmp_path / "restored", tmp_path / "backup"))
    async with base_in(tmp_path / "restored") as stores:
        assert (await check_of(stores)).vectors_missing == 1
