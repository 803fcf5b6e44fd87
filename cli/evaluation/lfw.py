"""Labeled Faces in the Wild: its images, in a folder or a ZIP, and its pairs file."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cli.errors import UsageError

# "Abel_Pacheco_0001": the person, and which of their images.
_IMAGE_NAME = re.compile(r"(?P<person>.+)_(?P<number>[0-9]{4,})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images, by name without folder and extension."""

    first: str
    second: str
    same: bool


class ImageSet:
    """Images by name; LFW's without folder and extension ("Abel_Pacheco_0001")."""

    def __init__(self, places: Mapping[str, str], read: Callable[[str], bytes]) -> None:
        self._places = places
        self._read = read

    @property
    def names(self) -> Sequence[str]:
        """Sorted."""
        return sorted(self._places)

    def read(self, name: str) -> bytes:
        """The file as it is."""
        return self._read(self._places[name])


@contextmanager
def open_images(source: Path) -> Iterator[ImageSet]:
    """The images of a folder or a ZIP, read as they are asked for.

    Files whose name does not end in _0001 or so are none of LFW's and left out. Raises UsageError
    if there are none, or two of one name.
    """
    if source.is_dir():
        files = sorted(str(path) for path in source.rglob("*") if path.is_file())
        yield ImageSet(_by_name(source, files), lambda place: Path(place).read_bytes())
        return
    with open_zip(source) as archive:
        entries = sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
        yield ImageSet(_by_name(source, entries), archive.read)


def open_zip(source: Path) -> zipfile.ZipFile:
    """An archive to read from. Raises UsageError: there is none, or it is damaged."""
    try:
        return zipfile.ZipFile(source)
    except FileNotFoundError:
        raise UsageError(f"there is no {source}", "name a folder or a ZIP of images") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise UsageError(f"{source} cannot be read as a ZIP: {error}") from error


def _by_name(source: Path, places: Sequence[str]) -> dict[str, str]:
    by_name: dict[str, str] = {}
    for place in places:
        name = PurePosixPath(place).stem
        if name.startswith(".") or not _IMAGE_NAME.fullmatch(name):
            continue
        if name in by_name:
            raise UsageError(f"{source} holds {name} twice: {by_name[name]} and {place}")
        by_name[name] = place
    if not by_name:
        raise UsageError(
            f"{source} holds no LFW images",
            "name the folder or ZIP with Person_Name/Person_Name_0001.jpg and so on",
        )
    return by_name


def person_of(name: str) -> str:
    """Who is on an image, by its name."""
    match = _IMAGE_NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"not the name of an LFW image: {name!r}")
    return match["person"]


def read_pairs(path: Path) -> list[list[Pair]]:
    """The folds of a pairs file, as it gives them.

    The first line is `folds<TAB>n` (n pairs of one person, then n of two, in each fold) or only
    `n` (one fold, as in pairsDevTest.txt). Raises UsageError if the file says otherwise.
    """
    try:
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the pairs file {path} cannot be read: {error}") from error
    header = lines[0].split() if lines else []
    if not 1 <= len(header) <= 2 or not all(number.isdecimal() for number in header):
        raise UsageError(
            f"{path} does not begin with the number of folds and pairs",
            "give the pairs file as LFW ships it (pairs.txt, pairsDevTest.txt)",
        )
    folds, each = (1, int(header[0])) if len(header) == 1 else (int(header[0]), int(header[1]))
    if not folds or not each or len(lines) - 1 != folds * 2 * each:
        raise UsageError(
            f"{path} promises {folds} × 2 × {each} pairs and holds {max(len(lines) - 1, 0)}"
        )
    pairs = [_pair(path, number, line) for number, line in enumerate(lines[1:], start=2)]
    return [pairs[k * 2 * each : (k + 1) * 2 * each] for k in range(folds)]


def _pair(path: Path, number: int, line: str) -> Pair:
    match line.split("\t") if "\t" in line else line.split():
        case [person, one, two] if one.isdecimal() and two.isdecimal():
            return Pair(image_name(person, int(one)), image_name(person, int(two)), same=True)
        case [person, one, other, two] if one.isdecimal() and two.isdecimal():
            return Pair(image_name(person, int(one)), image_name(other, int(two)), same=False)
        case _:
            raise UsageError(f"line {number} of {path} is no pair: {line!r}")


def image_name(person: str, number: int) -> str:
    """How LFW names an image."""
    return f"{person}_{number:04d}"
