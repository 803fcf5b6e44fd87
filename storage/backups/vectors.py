"""The vectors of a base as parts of a backup, and back.

Whoever has the vector store open does the copying: the command itself, or the service, whose
Milvus Lite folder belongs to it alone. Both find the wanted faces in the folder, and leave the
parts there.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.backups.errors import BackupDamaged, FolderRefused
from storage.backups.files import created, make_folder, sha256_of_file, translated
from storage.backups.folder import BackupFolder
from storage.backups.lines import LinesWriter, encoded, read_rows, text_in
from storage.backups.manifest import Part, SpaceVectors, VectorPart
from storage.backups.records import IndexedFace
from storage.identity import FaceId, PhotoKey, SpaceId, split_face_id
from storage.vectors.port import FaceVector, VectorStore
from storage.vectors.validation import check_space

VECTORS = "vectors"
WANTED = "wanted"
"""The faces to copy, as a service is asked for them; gone when the backup is complete."""

_FETCHED_AT_ONCE = 1_000
_ADDED_AT_ONCE = 500

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """How the copying of one space ended."""

    faces: int
    """Vectors that were there."""
    missing: int
    """Wanted faces without a vector."""


def want(parts: Path, faces: Iterable[IndexedFace]) -> int:
    """Write down which faces to copy; how many these are. Raises FolderRefused, StorageFull."""
    with translated(parts):
        make_folder(parts / WANTED)
        with LinesWriter(parts / WANTED) as lines:
            lines.add(_row_of(face) for face in faces)
    return sum(each.rows for each in lines.written)


def forget_wanted(parts: Path) -> None:
    """Remove the list: it says no more than the parts of the spaces do."""
    shutil.rmtree(parts / WANTED, ignore_errors=True)


async def copy_space(
    store: VectorStore, parts: Path, space: SpaceId, progress: Progress, already: int = 0
) -> Copied:
    """Write the vectors of the wanted faces in this space as parts.

    `progress` is told `already` and the faces looked at since. Raises VectorsUnavailable,
    StorageFull, FolderRefused (also where the folder is not of this machine), ValueError for a
    space that no store could have.
    """
    check_space(space)
    where = parts / VECTORS / space
    with translated(parts):
        lists = _lists(parts)
        make_folder(where)
    faces = looked = 0
    for number, file in enumerate(lists):
        wanted = [_face_of(row) for row in read_rows(file)]
        found: dict[FaceId, NDArray[np.float32]] = {}
        for start in range(0, len(wanted), _FETCHED_AT_ONCE):
            page = [face.face_id for face in wanted[start : start + _FETCHED_AT_ONCE]]
            for stored in await store.fetch(space, page):
                found[stored.face_id] = stored.embedding
            progress(already + looked + start + len(page), None)
        there = [face for face in wanted if face.face_id in found]
        if there:
            matrix = np.stack([found[face.face_id] for face in there])
            await asyncio.to_thread(_write, where, f"{number:06d}", there, matrix)
        faces += len(there)
        looked += len(wanted)
    return Copied(faces, looked - faces)


def _lists(parts: Path) -> Sequence[Path]:
    if not (parts / WANTED).is_dir():
        raise FolderRefused(
            f"{parts} is not on this machine: the folder of a backup must be where the service "
            "that holds the vectors runs"
        )
    return sorted((parts / WANTED).glob("*.jsonl"))


def _write(
    where: Path, name: str, faces: Sequence[IndexedFace], matrix: NDArray[np.float32]
) -> None:
    with translated(where):
        with created(where / f"{name}.jsonl") as out:
            out.writelines(encoded(_row_of(face)) for face in faces)
        with created(where / f"{name}.npy") as out:
            np.save(out, np.ascontiguousarray(matrix, dtype=np.float32), allow_pickle=False)


def parts_of_space(folder: BackupFolder, parts: Path, space: SpaceId) -> tuple[VectorPart, ...]:
    """What was written of a space, as the manifest names it. Raises OSError."""
    written = []
    for faces in sorted((parts / VECTORS / space).glob("*.jsonl")):
        with faces.open("rb") as lines:
            rows = sum(1 for _ in lines)
        both = [_part(folder, file, rows) for file in (faces, faces.with_suffix(".npy"))]
        written.append(VectorPart(faces=both[0], vectors=both[1]))
    return tuple(written)


def _part(folder: BackupFolder, file: Path, rows: int) -> Part:
    path = file.relative_to(folder.path).as_posix()
    return Part(path=path, rows=rows, bytes=file.stat().st_size, sha256=sha256_of_file(file))


async def give_vectors(
    folder: BackupFolder, space: SpaceVectors, store: VectorStore, progress: Progress
) -> None:
    """Store the vectors of a space; those that are there already are replaced by the same.

    Raises BackupDamaged, VectorsUnavailable, StorageFull, StoreMisconfigured for a space that is
    there with another dim.
    """
    space_id = SpaceId(space.id)
    await store.open_space(space_id, space.dim)
    done = 0
    for part in space.parts:
        faces = folder.path / part.faces.path
        matrix = matrix_in(folder.path / part.vectors.path, part.faces.rows, space.dim)
        for page, rows in _pages(faces, matrix):
            await store.add(
                space_id, [_vector(face, row) for face, row in zip(page, rows, strict=True)]
            )
            done += len(page)
            progress(done, space.faces)


def matrix_in(file: Path, rows: int, dim: int) -> NDArray[np.float32]:
    """The vectors of a part, (rows, dim) float32, read as they are used. Raises BackupDamaged."""
    try:
        matrix: NDArray[np.float32] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BackupDamaged([f"{file.name}: {error}"]) from error
    if matrix.dtype != np.float32 or matrix.shape != (rows, dim):
        raise BackupDamaged([f"{file.name} holds {matrix.dtype} of {matrix.shape}"])
    return matrix


def _pages(
    faces: Path, matrix: NDArray[np.float32]
) -> Iterator[tuple[Sequence[IndexedFace], NDArray[np.float32]]]:
    page: list[IndexedFace] = []
    start = 0
    for row in read_rows(faces):
        page.append(_face_of(row))
        if len(page) == _ADDED_AT_ONCE:
            yield page, np.array(matrix[start : start + len(page)])
            start += len(page)
            page = []
    if page:
        yield page, np.array(matrix[start : start + len(page)])


def _vector(face: IndexedFace, embedding: NDArray[np.float32]) -> FaceVector:
    named = split_face_id(face.face_id)
    if named is None:
        raise BackupDamaged([f"a part names a face {face.face_id!r}"])
    return FaceVector(face.face_id, face.photo, named[0], embedding)


def _row_of(face: IndexedFace) -> Mapping[str, object]:
    return {
        "face_id": face.face_id,
        "collection_id": face.photo.collection_id,
        "photo_id": face.photo.photo_id,
    }


def _face_of(row: Mapping[str, object]) -> IndexedFace:
    photo = PhotoKey(text_in(row, "collection_id"), text_in(row, "photo_id"))
    return IndexedFace(FaceId(text_in(row, "face_id")), photo)
