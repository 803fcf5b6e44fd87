"""What packs made of the photos, side by side: in numbers, then photo by photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from cli.console import out, print_json
from cli.evaluation.detection import DetectionFigures
from cli.evaluation.expected import ExpectedPhoto
from cli.evaluation.lfw_table import side_by_side
from cli.evaluation.threshold_report import Format
from inference.engine import ModelInfo


@dataclass(frozen=True, slots=True)
class DetectionOfPack:
    """The figures of one pack."""

    title: str
    info: ModelInfo
    figures: DetectionFigures


def print_detection(packs: Sequence[DetectionOfPack], form: Format) -> None:
    """All figures on stdout."""
    if form is Format.JSON:
        print_json({"packs": [as_document(pack) for pack in packs]})
        return
    console = out()
    rows = side_by_side([pack.title for pack in packs], form)
    cells = [_cells(pack) for pack in packs]
    for label in cells[0]:
        rows.add_row(label, *(column[label] for column in cells))
    console.print(rows)
    _print_counts(packs, console, form)
    _print_strays(packs, console, form)
    _print_false_faces(packs, console, form)


def as_document(pack: DetectionOfPack) -> dict[str, object]:
    """The figures of one pack as JSON has them."""
    figures, false_faces = pack.figures, pack.figures.false_faces
    return {
        "pack": pack.info.pack.id,
        "pack_version": pack.info.pack.version,
        "pack_digest": pack.info.pack.digest,
        "look_sizes": list(pack.info.look_sizes),
        "runtime": pack.info.detector.runtime,
        "photos": sum(not photo.is_turned for photo in figures.expected),
        "differing": _differing(figures, is_turned=False),
        "turned_photos": sum(photo.is_turned for photo in figures.expected),
        "differing_turned": _differing(figures, is_turned=True),
        "persons": len(figures.strays),
        "persons_apart": {person: list(figures.strays[person]) for person in figures.persons_apart},
        "backgrounds": None if false_faces is None else len(false_faces),
        "false_faces": None if false_faces is None else _found(false_faces),
        "p50_ms": round(figures.p50_ms, 2),
    }


def _cells(pack: DetectionOfPack) -> dict[str, str]:
    """Figures by label, in the order of the rows."""
    figures, false_faces = pack.figures, pack.figures.false_faces
    upright, turned = (
        sum(photo.is_turned == is_turned for photo in figures.expected)
        for is_turned in (False, True)
    )
    cells = {
        "version": escape(pack.info.pack.version),
        "runtime": pack.info.detector.runtime,
        "looks": ", ".join(f"{size}²" for size in pack.info.look_sizes),
        f"another number of faces, of {upright} photos that stand upright": (
            f"[bold]{len(figures.differing(is_turned=False))}[/]"
        ),
        f"another number of faces, of {turned} turned photos": (
            str(len(figures.differing(is_turned=True)))
        ),
        f"persons whose photos do not find each other first, of {len(figures.strays)}": (
            str(len(figures.persons_apart))
        ),
    }
    if false_faces is not None:
        label = f"with a false face, of {len(false_faces)} backgrounds"
        cells[label] = str(len(_found(false_faces)))
        cells["false faces on them"] = str(sum(false_faces.values()))
    return cells | {"milliseconds a photo, p50": f"{figures.p50_ms:.1f}"}


def _print_counts(packs: Sequence[DetectionOfPack], console: Console, form: Format) -> None:
    for is_turned, what in ((False, "upright"), (True, "turned")):
        every = [pack.figures.differing(is_turned=is_turned) for pack in packs]
        differing = {photo.file: photo for photos in every for photo in photos}
        if not differing:
            continue
        rows = side_by_side(["a person sees", *(pack.title for pack in packs)], form)
        for file, photo in sorted(differing.items()):
            found = (pack.figures.faces[file] for pack in packs)
            rows.add_row(escape(file), photo.faces_text, *(_count(photo, n) for n in found))
        console.print(f"\nPhotos that stand {what} and are counted otherwise:\n")
        console.print(rows)


def _print_strays(packs: Sequence[DetectionOfPack], console: Console, form: Format) -> None:
    _print_by_name(
        "Photos that do not find the person's others first:",
        packs,
        lambda figures: {
            f"{person}: {file}": "✗" for person, files in figures.strays.items() for file in files
        },
        console,
        form,
    )


def _print_false_faces(packs: Sequence[DetectionOfPack], console: Console, form: Format) -> None:
    _print_by_name(
        "False faces on backgrounds:",
        packs,
        lambda figures: {
            name: str(count) for name, count in _found(figures.false_faces or {}).items()
        },
        console,
        form,
    )


def _print_by_name(
    title: str,
    packs: Sequence[DetectionOfPack],
    cells_of: Callable[[DetectionFigures], Mapping[str, str]],
    console: Console,
    form: Format,
) -> None:
    """A row for each name that any pack has; nothing if none has."""
    cells = [cells_of(pack.figures) for pack in packs]
    names = sorted({name for column in cells for name in column})
    if not names:
        return
    rows = side_by_side([pack.title for pack in packs], form)
    for name in names:
        rows.add_row(escape(name), *(column.get(name, "") for column in cells))
    console.print(f"\n{title}\n")
    console.print(rows)


def _count(photo: ExpectedPhoto, found: int) -> str:
    return str(found) if photo.agrees(found) else f"[bold]{found}[/]"


def _differing(figures: DetectionFigures, *, is_turned: bool) -> dict[str, dict[str, int]]:
    return {
        photo.file: {
            "found": figures.faces[photo.file],
            "faces_min": photo.faces_min,
            "faces_max": photo.faces_max,
        }
        for photo in figures.differing(is_turned=is_turned)
    }


def _found(false_faces: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in false_faces.items() if count}
