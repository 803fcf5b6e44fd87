"""Where the pictures come from that photo sets are made of."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.kit.world import shared_data

Picture = NDArray[np.uint8]
"""(height, width, 3), BGR."""

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_JPEG = b"\xff\xd8\xff"


class NoPictures(Exception):
    """There is nothing to make photos of. Says what to do."""


class PictureSource(Protocol):
    """Pictures of people, in a fixed order."""

    key: str
    """Of these very pictures: another set has another key."""

    def __len__(self) -> int: ...

    def picture(self, number: int) -> Picture:
        """One of them, 0 ≤ number < len."""
        ...

    def encoded(self, number: int) -> bytes:
        """The same as a file: JPEG, PNG or WebP."""
        ...

    def person(self, number: int) -> str:
        """Whom it shows: no two people have the same name. Of a folder of photos, where nobody says
        who they show, the name of the file."""
        ...

    def files(self) -> list[bytes]:
        """Real photos as they are, encoded as JPEG. May be empty."""
        ...


def picture_source(folder: Path | None) -> PictureSource:
    """The photos in a folder; None: the test data. Raises NoPictures."""
    return _Lfw(shared_data() / "data") if folder is None else _Folder(folder)


class _Lfw:
    """Labeled Faces in the Wild, and the real photos beside it."""

    def __init__(self, data: Path) -> None:
        archive = data / "lfw-dev.zip"
        if not archive.is_file():
            raise NoPictures(
                f"{archive} is not there: name a folder of photos with --photos, or set "
                "FACESEARCH_SHARED to the folder that holds data/"
            )
        self._zip = zipfile.ZipFile(archive)
        entries = [one for one in self._zip.infolist() if Path(one.filename).suffix in _SUFFIXES]
        self._entries = sorted(entries, key=lambda entry: entry.filename)
        self._photos = data / "photos"
        self.key = _digest(f"{one.filename} {one.CRC}" for one in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def picture(self, number: int) -> Picture:
        return _decoded(self.encoded(number), self._entries[number].filename)

    def encoded(self, number: int) -> bytes:
        return self._zip.read(self._entries[number])

    def person(self, number: int) -> str:
        return Path(self._entries[number].filename).parent.name

    def files(self) -> list[bytes]:
        return _jpegs(_photos_in(self._photos)) if self._photos.is_dir() else []


class _Folder:
    """Any folder of photos."""

    def __init__(self, folder: Path) -> None:
        self._files = _photos_in(folder)
        if not self._files:
            raise NoPictures(f"{folder} holds no .jpg, .png or .webp")
        self.key = _digest(
            f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in self._files
        )

    def __len__(self) -> int:
        return len(self._files)

    def picture(self, number: int) -> Picture:
        return _decoded(self.encoded(number), str(self._files[number]))

    def encoded(self, number: int) -> bytes:
        return self._files[number].read_bytes()

    def person(self, number: int) -> str:
        return self._files[number].name

    def files(self) -> list[bytes]:
        return _jpegs(self._files)


def _photos_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)


def _jpegs(files: list[Path]) -> list[bytes]:
    return [data for file in files if (data := file.read_bytes()).startswith(_JPEG)]


def _decoded(data: bytes, name: str) -> Picture:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise NoPictures(f"{name} cannot be decoded: take it out of the folder")
    return np.asarray(picture, np.uint8)


def _digest(lines: Iterable[str]) -> str:
    hashed = hashlib.sha256()
    for line in lines:
        hashed.update(line.encode() + b"\n")
    return hashed.hexdigest()[:16]
