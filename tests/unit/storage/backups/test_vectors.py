"""Vectors as .npy beside the faces that they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.backups.errors import BackupDamaged, FolderRefused
from storage.backups.folder import BackupFolder
from storage.backups.manifest import SpaceVectors
from storage.backups.records import IndexedFace
from storage.backups.vectors import Progress, copy_space, give_vectors, parts_of_space, want
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import FaceVector
from tests.unit.storage.vectors.faces import SPACE, face, random_units

DIM = 8
ID = "01j00000000000000000000000"


def to_nobody(_done: int, _total: int | None) -> None:
    return


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path)


def wanted(faces: list[FaceVector]) -> list[IndexedFace]:
    return [IndexedFace(each.face_id, each.photo) for each in faces]


async def stored(faces: list[FaceVector]) -> MemoryVectorStore:
    store = MemoryVectorStore()
    await store.open_space(SPACE, DIM)
    await store.add(SPACE, faces)
    return store


def space_of(folder: BackupFolder, parts: Path) -> SpaceVectors:
    written = parts_of_space(folder, parts, SPACE)
    return SpaceVectors(
        id=SPACE, pack="p", version="1", dim=DIM, is_active=True, parts=written, missing=0
    )


def faces_of(count: int) -> list[FaceVector]:
    return [face(number, vector) for number, vector in enumerate(random_units(count, DIM))]


async def copied(folder: BackupFolder, count: int) -> tuple[Path, list[FaceVector]]:
    faces = faces_of(count)
    parts = folder.start(ID)
    want(parts, wanted(faces))
    await copy_space(await stored(faces), parts, SPACE, to_nobody)
    return parts, faces


async def test_vectors_come_back_bit_by_bit(folder: BackupFolder) -> None:
    parts, faces = await copied(folder, 1_203)
    there = MemoryVectorStore()
    told: list[int] = []
    progress: Progress = lambda done, _total: told.append(done)  # noqa: E731
    await give_vectors(folder, space_of(folder, parts), there, progress)
    assert told[-1] == 1_203
    found = {each.face_id: each for each in await there.fetch(SPACE, [f.face_id for f in faces])}
    for each in faces:
        twin = found[each.face_id]
        assert (twin.photo, twin.revision) == (each.photo, each.revision)
        assert twin.embedding.tobytes() == each.embedding.tobytes()


async def test_what_has_no_vector_is_counted_and_left_out(folder: BackupFolder) -> None:
    faces = faces_of(3)
    parts = folder.start(ID)
    assert want(parts, wanted(faces)) == 3
    ended = await copy_space(await stored(faces[:1]), parts, SPACE, to_nobody)
    assert (ended.faces, ended.missing) == (1, 2)
    assert space_of(folder, parts).faces == 1


async def test_the_file_can_be_read_by_numpy_alone(folder: BackupFolder) -> None:
    parts, faces = await copied(folder, 2)
    matrix = np.load(parts / "vectors" / SPACE / "000000.npy", allow_pickle=False)
    assert matrix.dtype == np.float32
    assert (matrix == np.stack([each.embedding for each in faces])).all()


async def test_a_folder_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderRefused, match="is not on this machine"):
        await copy_space(await stored([]), tmp_path / "elsewhere", SPACE, to_nobody)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((2, DIM), np.float64),
        np.zeros((1, DIM), np.float32),
        np.array([{"a": 1}], dtype=object),
    ],
    ids=["float64", "one row", "pickled"],
)
async def test_a_matrix_that_is_none_is_refused(
    folder: BackupFolder, matrix: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> None:
    parts, _ = await copied(folder, 2)
    np.save(parts / "vectors" / SPACE / "000000.npy", matrix, allow_pickle=True)
    with pytest.raises(BackupDamaged, match=r"000000\.npy"):
        await give_vectors(folder, space_of(folder, parts), MemoryVectorStore(), to_nobody)
