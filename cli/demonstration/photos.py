"""Where the demo's photos come from: packages that the set-up installs anyway, or one's own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cli.errors import CommandError

_WITH_PEOPLE = {
    "insightface": ("data/images/t1.jpg",),
    "skimage": ("data/astronaut.png",),
}
_WITHOUT_PEOPLE = {
    "skimage": ("data/chelsea.png", "data/rocket.jpg", "data/coffee.png"),
}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, slots=True)
class DemoPhoto:
    """A photo to enrol."""

    path: Path
    photo_id: str
    shows_people: bool | None
    """None: not known, as with one's own photos."""


def bundled_photos() -> list[DemoPhoto]:
    """A group of six, an astronaut, and a cat, a rocket and a cup of coffee.

    Raises CommandError if the packages that bring them are not installed.
    """
    return [
        DemoPhoto(path, path.name, shows_people)
        for packages, shows_people in ((_WITH_PEOPLE, True), (_WITHOUT_PEOPLE, False))
        for package, files in packages.items()
        for path in _files_of(package, files)
    ]


def own_photos(folder: Path) -> list[DemoPhoto]:
    """Every photo below a folder, by its path there. Raises CommandError if there is none."""
    photos = [
        DemoPhoto(path, path.relative_to(folder).as_posix(), None)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in _SUFFIXES and path.is_file()
    ]
    if not photos:
        raise CommandError(
            f"no photos below {folder}", "name a folder with JPEG, PNG or WebP files"
        )
    return photos


def _files_of(package: str, files: tuple[str, ...]) -> list[Path]:
    spec = find_spec(package)  # finds it without importing it, which takes seconds
    places = spec.submodule_search_locations if spec is not None else None
    paths = [Path(place) / file for place in places or () for file in files]
    if not paths or not all(path.is_file() for path in paths):
        raise CommandError(
            f"the demo's photos come with the Python package {package}, which is not installed",
            "run `make setup`, or name photos of your own with --photos",
        )
    return paths
