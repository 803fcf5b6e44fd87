"""Where images come from: a ZIP or a folder, with its origin and licence on record."""

from __future__ import annotations

import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.people import RefusedPeople, is_held_out, person_of
from training.errors import TrainingError

IMAGE_SUFFIXES = frozenset({".webp", ".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class Source:
    """A set of images."""

    name: str
    path: Path
    """A ZIP or a folder."""
    origin: str
    licence: str
    looks: tuple[int, ...]
    """Sizes at which the teacher looks at its images; none: they show no faces."""
    has_names: bool = False
    """Whether files are named after the person they show, as in LFW."""
    is_for_backgrounds: bool = False
    """Only its images in which the teacher finds no face, however faint, are kept."""
    is_held_out_from: bool = True
    """Whether a fifth is kept for validation. Of people with names it always is."""

    def images(self, refused: RefusedPeople) -> Iterator[SourceImage]:
        """Its images in the order of their names, without those of refused people.

        Raises TrainingError if there are none.
        """
        if self.path.is_dir():
            files = sorted(self.path.rglob("*"))
            names = [str(file.relative_to(self.path)) for file in files if _is_image(file.name)]
            yield from self._admitted(names, refused, lambda name: (self.path / name).read_bytes())
            return
        try:
            archive = zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile) as error:
            raise TrainingError(f"{self.name}: {self.path} cannot be read: {error}") from error
        with archive:
            names = sorted(name for name in archive.namelist() if _is_image(name))
            yield from self._admitted(names, refused, archive.read)

    def _admitted(
        self, names: Sequence[str], refused: RefusedPeople, read: Callable[[str], bytes]
    ) -> Iterator[SourceImage]:
        if not names:
            raise TrainingError(f"{self.name}: no images in {self.path}")
        for name in names:
            person = person_of(name) if self.has_names else None
            if person is None or person not in refused:
                is_kept = self.is_held_out_from or person is not None
                held_out = is_kept and is_held_out(name if person is None else person)
                yield SourceImage(name, person, read(name), held_out)


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One file of a source."""

    name: str
    person: str | None
    data: bytes
    is_held_out: bool
    """Kept for validation: by the person, or by the file where people have no names."""


def shared_sources(shared: Path) -> list[Source]:
    """The sets that the shared folder holds."""
    data = shared / "data"
    return [
        Source(
            name="lfw",
            path=data / "lfw-dev.zip",
            origin="Labeled Faces in the Wild, deep-funneled; View 2 sets 1 to 7",
            licence="research only",
            looks=(320,),
            has_names=True,
        ),
        Source(
            name="faces",
            path=data / "train" / "faces.zip",
            origin="12,000 images of UTKFace, 144 pixels",
            licence="non-commercial research",
            looks=(160,),
        ),
        Source(
            name="backgrounds",
            path=data / "train" / "backgrounds.zip",
            origin="BSDS500, photos in which the teacher finds no face",
            licence="non-commercial research and education",
            looks=(),
        ),
    ]


def extra_source(folder: Path) -> Source:
    """A folder of further images: ``images/`` beside a ``SOURCE.toml`` with origin and licence.

    SOURCE.toml may also say ``has_names = true`` (files named as in LFW), ``looks``,
    ``backgrounds = true`` (keep what shows no face), and ``held_out = false`` (train on all images
    of people without names: validation has others). Raises TrainingError: without a licence on
    record a set is not used.
    """
    file = folder / "SOURCE.toml"
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
        return Source(
            name=folder.name,
            path=folder / "images",
            origin=str(about["origin"]),
            licence=str(about["licence"]),
            looks=tuple(int(size) for size in about.get("looks", (160, 320))),
            has_names=bool(about.get("has_names", False)),
            is_for_backgrounds=bool(about.get("backgrounds", False)),
            is_held_out_from=bool(about.get("held_out", True)),
        )
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(f"{file} must give origin and licence: {error}") from error


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not Path(name).name.startswith(".")
