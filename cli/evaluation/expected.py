"""What a person sees on photos, and the files that show nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from cli.errors import UsageError
from cli.evaluation.lfw import ImageSet, open_zip

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class _Photo(BaseModel):
    file: str = Field(min_length=1)
    faces_min: int = Field(ge=0)
    faces_max: int = Field(ge=0)
    person: str | None = None
    turned_degrees: int = 0


class _Photos(BaseModel):
    photos: list[_Photo] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class ExpectedPhoto:
    """One photo, as a person sees it."""

    file: str
    """Its path below the folder."""
    faces_min: int
    """Faces that must be found."""
    faces_max: int
    """Faces that may be found."""
    person: str | None
    """Photos of one name show one person; None: nobody says who."""
    is_turned: bool
    """Whether it was turned without EXIF."""

    @property
    def faces_text(self) -> str:
        """Such as "1" or "1 to 3"."""
        if self.faces_min == self.faces_max:
            return str(self.faces_min)
        return f"{self.faces_min} to {self.faces_max}"

    def agrees(self, found: int) -> bool:
        """Whether so many faces are right."""
        return self.faces_min <= found <= self.faces_max


def read_expected(path: Path) -> Sequence[ExpectedPhoto]:
    """The photos that a JSON file describes; other fields than ours are left alone.

    Raises UsageError: no such file, or one of another form.
    """
    try:
        photos = _Photos.model_validate_json(path.read_bytes()).photos
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{path} does not say what is expected: {place}: {first['msg']}",
            "facesearch eval detection --help shows the form",
        ) from error
    seen: set[str] = set()
    for photo in photos:
        if photo.file in seen:
            raise UsageError(f"{path} has {photo.file} twice")
        seen.add(photo.file)
        if photo.faces_min > photo.faces_max:
            raise UsageError(f"{path}: faces_min of {photo.file} is above its faces_max")
    return [
        ExpectedPhoto(
            photo.file,
            photo.faces_min,
            photo.faces_max,
            photo.person,
            is_turned=photo.turned_degrees % 360 != 0,
        )
        for photo in photos
    ]


def photos_in(folder: Path, expected: Sequence[ExpectedPhoto]) -> ImageSet:
    """The files that are described. Raises UsageError if some are not there."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", "name the folder with the photos")
    missing = [photo.file for photo in expected if not (folder / photo.file).is_file()]
    if missing:
        raise UsageError(
            f"{folder} lacks {len(missing)} of the {len(expected)} photos, such as {missing[0]}",
            "name the folder with the photos that the JSON describes",
        )
    places = {photo.file: str(folder / photo.file) for photo in expected}
    return ImageSet(places, lambda place: Path(place).read_bytes())


@contextmanager
def open_backgrounds(source: Path | None) -> Iterator[ImageSet | None]:
    """All images of a folder or a ZIP, read as they are asked for; None: none are given.

    Raises UsageError if there are none in it.
    """
    if source is None:
        yield None
    elif source.is_dir():
        files = {
            str(file.relative_to(source)): str(file)
            for file in source.rglob("*")
            if file.is_file() and _is_image(file.name)
        }
        yield _some(source, files, lambda place: Path(place).read_bytes())
    else:
        with open_zip(source) as archive:
            names = {name: name for name in archive.namelist() if _is_image(name)}
            yield _some(source, names, archive.read)


def _some(source: Path, places: Mapping[str, str], read: Callable[[str], bytes]) -> ImageSet:
    if not places:
        raise UsageError(f"{source} holds no JPEG, PNG or WebP images")
    return ImageSet(places, read)


def _is_image(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
