"""Which photos are below the given paths, and what they are called. Reads first bytes only."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.errors import UsageError
from cli.indexing.source import FoundPhoto, Unusable

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SNIFFED_BYTES = 12
_MAX_ID_LENGTH = 128  # code points; API.md, identifiers
_LISTED_CLASHES = 5


@dataclass(slots=True)
class Found:
    """What a walk came across."""

    photos: list[FoundPhoto] = field(default_factory=list)
    """By photo_id."""
    unusable: list[Unusable] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    """Files that are no photos, by extension."""


def find_photos(paths: Sequence[Path]) -> Found:
    """The photos below `paths`, each under its path relative to the given one.

    A file is a photo by its extension or its first bytes. Hidden files and folders are left out;
    links to folders are not followed. Raises UsageError if a path does not exist, or if two files
    would get the same photo_id: nothing has been sent then.
    """
    found = Found()
    by_id: dict[str, Path] = {}
    clashes: list[str] = []
    for root in paths:
        for path, relative in _files_below(root):
            if not is_photo(path):
                found.passed_over[path.suffix.lower() or "(none)"] += 1
                continue
            photo_id = unicodedata.normalize("NFC", relative)
            if problem := id_problem(photo_id):
                found.unusable.append(Unusable(str(path), problem))
            elif (other := by_id.setdefault(photo_id, path)) is path:
                found.photos.append(FoundPhoto(photo_id, str(path)))
            elif not other.samefile(path):
                clashes.append(f"{other} and {path} (both {photo_id!r})")
    if clashes:
        more = f", and {len(clashes) - _LISTED_CLASHES} more" * (len(clashes) > _LISTED_CLASHES)
        raise UsageError(
            "two files would be one photo: " + "; ".join(clashes[:_LISTED_CLASHES]) + more,
            "give their common folder as the path, or index them into two collections",
        )
    found.photos.sort(key=lambda photo: photo.photo_id)
    return found


def is_photo(path: Path) -> bool:
    """Whether the file says it is a JPEG, PNG or WebP: by its name or by its first bytes."""
    if path.suffix.lower() in EXTENSIONS:
        return True
    try:
        with path.open("rb") as file:
            first = file.read(SNIFFED_BYTES)
    except OSError:
        return False  # not a photo by its name, and nobody may look
    return begins_like_a_photo(first)


def begins_like_a_photo(first: bytes) -> bool:
    """Whether these first SNIFFED_BYTES are of a JPEG, PNG or WebP."""
    return first.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (
        first[:4] == b"RIFF" and first[8:12] == b"WEBP"
    )


def id_problem(photo_id: str) -> str | None:
    """Why this cannot be a photo_id; None if it can. The edge's own rules, told before sending."""
    if len(photo_id) > _MAX_ID_LENGTH:
        return f"its path is longer than {_MAX_ID_LENGTH} characters; give a deeper folder as path"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in photo_id):
        return "its name holds a control character or is not valid UTF-8; rename it"
    if photo_id != photo_id.strip():
        return "its name begins or ends with white space; rename it"
    return None


def _files_below(root: Path) -> Iterator[tuple[Path, str]]:
    """Every file with its name relative to the root, with `/`; the root itself if it is a file."""
    if root.is_file():
        yield root, root.name
        return
    if not root.is_dir():
        raise UsageError(f"there is no {root}", "name a folder of photos, or photos")
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path, path.relative_to(root).as_posix()


def _raise(error: OSError) -> None:
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
