"""From settings to stores."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import StoreLocked, StoreMisconfigured, VectorsUnavailable
from storage.identity import PhotoKey, RevisionId
from storage.open import open_stores
from storage.photos.folder import FolderPhotoStore
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.records.sql import SqlRecordStore
from storage.settings import StorageSettings
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.resident import ResidentVectorStore
from tests.unit.storage.vectors.faces import SPACE, face, found_photos, random_units

VECTORS = random_units(3, 8)
IN_MEMORY = {"vectors_url": "memory://", "records_url": "memory://", "photos_url": "memory://"}


def settings_with(data_dir: Path, **urls: str) -> StorageSettings:
    return StorageSettings(data_dir=data_dir, **urls)  # type: ignore[arg-type]  # pydantic checks


def entries(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} if folder.exists() else set()


def made(folder: Path, mode: int = 0o700) -> Path:
    folder.mkdir(mode)
    return folder


def unmade(folder: Path) -> None:
    folder.rmdir()


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


async def test_by_default_everything_is_in_the_data_folder_and_there_again_later(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "new" / "data"
    async with open_stores(settings_with(folder)) as stores:
        assert isinstance(stores.vectors, ResidentVectorStore)
        assert isinstance(stores.records, SqlRecordStore)
        assert isinstance(stores.photos, FolderPhotoStore)
        await stores.vectors.open_space(SPACE, 8)
        await stores.vectors.add(SPACE, [face(n, vector) for n, vector in enumerate(VECTORS)])
        await stores.photos.put(RevisionId("r1"), b"bytes")
        begun = await stores.records.begin(PhotoKey("c", "p"), "0" * 64, 5)
        for store in (stores.vectors, stores.records, stores.photos):
            await store.ping()

    assert mode(folder) == 0o700
    assert {"vectors.db", "records.sqlite", "photos"} <= entries(folder)
    async with open_stores(settings_with(folder)) as stores:
        await stores.vectors.open_space(SPACE, 8)
        assert len(await found_photos(stores.vectors, VECTORS[0])) == 3
        assert await stores.photos.get(RevisionId("r1")) == b"bytes"
        assert await stores.records.revision(begun.id) is not None


async def test_memory_for_all_touches_no_disk(tmp_path: Path) -> None:
    async with open_stores(settings_with(tmp_path / "data", **IN_MEMORY)) as stores:
        assert isinstance(stores.vectors, MemoryVectorStore)
        assert isinstance(stores.records, MemoryRecordStore)
        assert isinstance(stores.photos, MemoryPhotoStore)

    assert entries(tmp_path) == set()


async def test_photos_may_be_in_a_folder_of_their_own(tmp_path: Path) -> None:
    urls = {**IN_MEMORY, "photos_url": f"file://{tmp_path}/my%20photos"}
    async with open_stores(settings_with(tmp_path / "data", **urls)) as stores:
        await stores.photos.put(RevisionId("r1"), b"bytes")

    assert entries(tmp_path) == {"my photos"}


async def test_a_milvus_server_need_not_be_there_at_the_start(tmp_path: Path) -> None:
    urls = {**IN_MEMORY, "vectors_url": "http://127.0.0.1:1", "timeout_seconds": "1"}
    async with open_stores(settings_with(tmp_path / "data", **urls)) as stores:
        assert isinstance(stores.vectors, MilvusVectorStore)
        with pytest.raises(VectorsUnavailable):
            await stores.vectors.ping()


async def test_a_data_folder_in_use_is_refused_and_the_first_user_undisturbed(
    tmp_path: Path,
) -> None:
    async with open_stores(settings_with(tmp_path)) as first:
        with pytest.raises(StoreLocked, match="open in another process"):
            async with open_stores(settings_with(tmp_path)):
                pass
        await first.vectors.ping()


async def test_a_data_folder_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    os.close(os.open(occupied, os.O_CREAT))

    with pytest.raises(StoreMisconfigured, match=r"data folder .* cannot be written to") as refused:
        async with open_stores(settings_with(occupied / "data")):
            pass

    assert "\n" not in str(refused.value)


async def test_a_read_only_data_folder_is_refused(tmp_path: Path) -> None:
    # Root writes wherever a file system lets it.
    folder = Path("/sys") if os.geteuid() == 0 else made(tmp_path / "data", 0o500)

    with pytest.raises(StoreMisconfigured, match=r"cannot be written to: (Permission|Read-only)"):
        async with open_stores(settings_with(folder)):
            pass


async def test_what_was_opened_is_closed_when_another_store_cannot_be(tmp_path: Path) -> None:
    in_the_way = made(tmp_path / "records.sqlite")  # no database can be there

    with pytest.raises(StoreMisconfigured):
        async with open_stores(settings_with(tmp_path)):
            pass

    unmade(in_the_way)
    async with open_stores(settings_with(tmp_path)) as stores:  # Lite's lock was given back
        await stores.vectors.ping()


def test_stores_in_memory_do_not_wait_for_the_import_of_pymilvus() -> None:
    program = "import sys, storage.open; sys.exit('pymilvus' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_engine_of_milvus_lite_takes_no_memory_beside_a_server() -> None:
    program = (
        "import sys, storage.vectors.milvus_server_open; "
        "sys.exit(not {'milvus_lite', 'faiss'}.isdisjoint(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
